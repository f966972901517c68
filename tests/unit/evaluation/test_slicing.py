import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.slicing import Part, parts
from tests.unit.evaluation.answered import SAMPLES, classified


def rows_with(texts: list[str], **columns: list) -> Evaluated:
    random = np.random.default_rng(0)
    test = classified(("no", "yes"), np.arange(len(texts)) % 2, random.dirichlet([1, 1], len(texts)))
    rows = test.rows.set_column(1, "text", pa.array(texts))
    for name, values in columns.items():
        rows = rows.append_column(name, pa.array(values, pa.string()))
    return replace(test, rows=rows)


def sliced(column: list[str | None]) -> dict[str, int]:
    values = [json.dumps({"topic": value}) for value in column]
    return counts(parts(rows_with(["a text"] * len(column), slices=values), "accuracy"), "column topic")


def counts(found: list[Part], by: str) -> dict[str, int]:
    return {part.name: int(part.inside.sum()) for part in found if part.by == by}


def test_rows_are_parted_into_quarters_by_their_words_and_the_edges_are_said() -> None:
    test = rows_with([" ".join(["word"] * (row + 1)) for row in range(100)])
    found = counts(parts(test, "accuracy"), "length in words")
    assert found == {"1 to 25": 25, "26 to 50": 25, "51 to 75": 25, "76 to 100": 25}


def test_texts_without_spaces_are_counted_in_characters() -> None:
    test = rows_with(["電影很好看" * (5 + row) for row in range(8)])
    assert counts(parts(test, "accuracy"), "length in characters") == {
        "25 to 30": 2,
        "35 to 40": 2,
        "45 to 50": 2,
        "55 to 60": 2,
    }


def test_rows_of_one_length_one_file_and_no_columns_are_parted_by_label_alone() -> None:
    test = rows_with(["same length"] * 40, file=["a.csv"] * 40)
    assert {part.by for part in parts(test, "accuracy")} == {"label"}


def test_numbers_are_parted_into_quarters_and_few_of_them_by_value() -> None:
    assert sliced([str(value / 2) for value in range(40)]) == {
        "0 to 4.5": 10,
        "5 to 9.5": 10,
        "10 to 14.5": 10,
        "15 to 19.5": 10,
    }
    assert sliced([str(2020 + row % 3) for row in range(30)]) == {"2020": 10, "2021": 10, "2022": 10}
    assert len(sliced(["unknown", *map(str, range(39))])) == 21


def test_rows_without_a_value_are_a_slice_of_their_own() -> None:
    assert sliced(["sport"] * 6 + [None] * 4) == {"sport": 6, "(no value)": 4}
    assert sliced([str(row) for row in range(36)] + [None] * 4)["(no value)"] == 4


def test_of_many_texts_the_most_frequent_stand_alone_and_the_others_together() -> None:
    found = sliced([f"topic {row % 30}" for row in range(100)])
    assert len(found) == 21
    assert found["(10 other values)"] == 30
    assert sum(found.values()) == 100


@pytest.mark.parametrize(
    ("metric", "measured"), [("accuracy", "accuracy"), ("f1_macro", "accuracy"), ("roc_auc", "accuracy")]
)
def test_rows_of_one_label_are_measured_by_what_means_something_there(metric: str, measured: str) -> None:
    labels = {part.metric for part in parts(rows_with(["a"] * 10 + ["b c"] * 10), metric) if part.by == "label"}
    assert labels == {measured}


def test_every_task_says_what_its_labels_part() -> None:
    found = {name: {p.name: p.metric for p in parts(make(), "x") if p.by == "label"} for name, make in SAMPLES.items()}
    assert found == {
        "multi-label": {"warm": "f1_micro", "old": "f1_micro", "rare": "f1_micro"},
        "regression": {"0 to 1.154": "mse", "1.282 to 2.436": "mse", "2.564 to 3.718": "mse", "3.846 to 5": "mse"},
        "tags": {"LOC": "x", "PER": "x"},
        "questions": {"has an answer": "x", "no answer": "x"},
        "generations": {},
    }
