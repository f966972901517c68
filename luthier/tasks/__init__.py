"""Tasks, one file each: adding one is a file and its line here."""

from luthier.tasks.text_classification import TextClassification

TASKS: dict[str, TextClassification] = {"text-classification": TextClassification()}
