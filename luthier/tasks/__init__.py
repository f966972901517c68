"""Tasks, one file each: adding one is a file and its line here."""

from luthier.tasks.question_answering import QuestionAnswering
from luthier.tasks.summarization import Summarization
from luthier.tasks.task import Task
from luthier.tasks.text_classification import TextClassification
from luthier.tasks.text_generation import TextGeneration
from luthier.tasks.token_classification import TokenClassification

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        TextClassification(),
        TokenClassification(),
        QuestionAnswering(),
        TextGeneration(),
        Summarization(),
    )
}
