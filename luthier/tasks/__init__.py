"""Tasks, one file each: adding one is a file and its line here."""

from luthier.tasks.task import Task
from luthier.tasks.text_classification import TextClassification

TASKS: dict[str, Task] = {task.name: task for task in (TextClassification(),)}
