"""Test rows are known by their content, and by nothing else of their splits."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.data.splits import split_schema
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.sealed_test import digest_of_test
from luthier.evaluation.test_rows import content_digest, in_order
from tests.unit.evaluation.answered import generations, multi_label, regression

SPAN = {"start": 0, "end": 4, "label": "PER"}
LABELS = {"single": "good", "multi": ["good", "old"], "number": 2.5, "spans": [SPAN], "text": "fine", "answers": [SPAN]}


def rows(kind: str, **changed: object) -> pa.Table:
    """Three rows of a split, the second one changed."""
    label = LABELS[kind]
    given = [{"row": n, "text": f"text {n}", "pair": "b", "messages": "[]", "label": label} for n in range(3)]
    given[1] |= changed
    return pa.Table.from_pylist(given, schema=split_schema(kind))


@pytest.mark.parametrize("kind", LABELS)
def test_what_a_row_asks_and_expects_is_all_that_counts(kind: str) -> None:
    known = content_digest(rows(kind))
    other = {"single": "bad", "multi": ["good"], "number": 2.25, "spans": [], "text": "bad", "answers": []}[kind]
    content = {"text": "another", "pair": None, "messages": None, "label": other}
    assert len({known, *(content_digest(rows(kind, **{name: value})) for name, value in content.items())}) == 5
    elsewhere = {"row": 70, "group": "g", "file": "more.csv", "slices": '{"source": "mail"}', "parent": 3}
    assert {content_digest(rows(kind, **{name: value})) for name, value in elsewhere.items()} == {known}


def test_the_order_of_rows_does_not_count_and_how_often_one_is_there_does() -> None:
    given = rows("single")
    assert content_digest(given.take([2, 0, 1])) == content_digest(given)
    assert content_digest(given.take([0, 1, 2, 2])) != content_digest(given)
    assert content_digest(given.take([0, 1])) != content_digest(given)


def test_a_folder_of_splits_is_named_by_its_test_rows_alone(tmp_path: Path) -> None:
    for name, train in (("one", rows("single")), ("other", rows("single").take([0, 0, 1]))):
        (tmp_path / name).mkdir()
        pq.write_table(train, tmp_path / name / "train.parquet")
        pq.write_table(rows("single"), tmp_path / name / "test.parquet")
    assert digest_of_test(tmp_path / "one") == digest_of_test(tmp_path / "other") == content_digest(rows("single"))


@pytest.mark.parametrize("make", [generations, multi_label, regression])
def test_rows_of_any_order_come_into_one_with_their_answers(make: Callable[[], Evaluated]) -> None:
    test = make()
    shuffled = test.chosen(np.random.default_rng(1).permutation(len(test.rows)).tolist())
    one, other = in_order(test), in_order(shuffled)
    assert one.rows == other.rows and one.predictions.answers == other.predictions.answers
    assert all(map(np.array_equal, one.predictions.evidence, other.predictions.evidence))
    answers = dict(zip(test.rows["text"].to_pylist(), test.predictions.answers, strict=True))
    assert other.predictions.answers == [answers[text] for text in other.rows["text"].to_pylist()]
