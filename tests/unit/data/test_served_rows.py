"""Logged rows as drift compares them: those of one version, the newest, with what it answered."""

import json

import pyarrow as pa
import pytest

from luthier.data.input_cleaning import InputCleaning
from luthier.data.served_rows import served_rows
from luthier.recipe.data_section import Cleaning
from luthier.serving.prediction_log import PredictionLog
from luthier.sources.predictions import logged_files

TEXT = InputCleaning(Cleaning())


def log(folder, rows: dict, answers: dict, version: str = "1") -> None:
    with PredictionLog(folder, share=1.0) as kept:
        kept.record(pa.table(rows), pa.table(answers), version=version)


def test_the_newest_rows_of_the_version_are_taken_and_cleaned(tmp_path):
    log(tmp_path, {"text": [f"old {row}" for row in range(10)]}, {"label": ["bad"] * 10})
    log(tmp_path, {"text": ["other"] * 10}, {"label": ["other"] * 10}, version="2")
    log(tmp_path, {"text": [f"<b>new</b>  {row}" for row in range(5)]}, {"label": ["good"] * 5})
    found = served_rows(logged_files(tmp_path), "1", TEXT, most=7)
    assert (found.count, found.labels) == (7, {"good": 5, "bad": 2})
    assert sorted(found.texts) == [*(f"new {row}" for row in range(5)), "old 8", "old 9"]
    assert served_rows(logged_files(tmp_path), "3", TEXT, most=7).count == 0


@pytest.mark.parametrize(
    ("answers", "labels"),
    [
        ({"labels": ['["a", "b"]', "[]"], "probabilities": ["{}", "{}"]}, {"a": 1, "b": 1, "(none)": 1}),
        ({"spans": ['[{"start": 0, "end": 1, "label": "x"}]', "[]"]}, {"x": 1, "(none)": 1}),
        ({"answer": ["Ann", ""], "score": [0.9, 0.1], "start": [0, 0], "end": [3, 0]}, {"answer": 1, "(none)": 1}),
    ],
)
def test_each_kind_of_answer_gives_the_names_that_training_labels_have(tmp_path, answers, labels):
    log(tmp_path, {"text": ["Ann", "Bob"], "pair": ["who?", None]}, answers)
    found = served_rows(logged_files(tmp_path), "1", TEXT, most=100)
    assert found.labels == labels and sorted(map(str, found.pairs)) == ["None", "who?"]


def test_numbers_and_conversations(tmp_path):
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi &amp; bye"}]
    log(tmp_path, {"messages": [json.dumps(chat)]}, {"value": [1.5]})
    found = served_rows(logged_files(tmp_path), "1", TEXT, most=100)
    assert found.numbers.tolist() == [1.5] and found.texts == ["system: Be brief.\nuser: Hi & bye"]


def test_personal_data_that_the_model_does_not_read_is_not_compared_or_shown(tmp_path):
    log(tmp_path, {"text": ["write to ann@example.org"]}, {"label": ["good"]})
    found = served_rows(logged_files(tmp_path), "1", InputCleaning(Cleaning(pii="mask")), most=100)
    assert found.texts == ["write to [EMAIL]"]
