from typing import Any

import pytest

from luthier.data.cleaning import Cleaned, clean
from luthier.data.expression import Expression
from luthier.errors import DataError


def _rows(*pairs: tuple[str | None, str | None]) -> list[dict[str, Any]]:
    return [{"text": text, "score": score, "_line": line} for line, (text, score) in enumerate(pairs, 2)]


def _clean(*pairs: tuple[str | None, str | None], label: str = "score", labels: list[str] | None = None) -> Cleaned:
    return clean(_rows(*pairs), text="text", label=Expression.parse(label), labels=labels)


GOOD = [("first text", "1"), ("second text", "0")]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ((None, "1"), "missing text"),
        ((" \t\x00", "1"), "empty text"),
        (("some", None), "missing label"),
        (("some", " "), "missing label"),
        (("some", "2"), "label '2' is not one of '0', '1'"),
        (("First  TEXT!", "1"), "duplicate of line 2"),
    ],
)
def test_a_bad_row_goes_with_its_reason_and_the_others_stay(bad: tuple[str | None, str | None], reason: str) -> None:
    cleaned = _clean(*GOOD, bad, labels=["0", "1"])
    assert [example.line for example in cleaned.examples] == [2, 3]
    assert [(drop.row, drop.reason) for drop in cleaned.dropped] == [(2, reason)]


def test_an_expression_that_fails_on_a_row_rejects_that_row() -> None:
    cleaned = _clean(*GOOD, ("third", "many"), ("fourth", ""), label="score > 0")
    assert [drop.reason for drop in cleaned.dropped] == ["label: not a number: 'many'", "missing label"]


def test_one_text_with_two_labels_is_rejected_every_time_it_stands_there() -> None:
    cleaned = _clean(*GOOD, ("twice", "1"), ("Twice.", "0"), ("twice", "1"))
    assert [drop.row for drop in cleaned.dropped] == [2, 3, 4]
    assert {drop.reason for drop in cleaned.dropped} == {"conflicting labels"}


def test_a_row_without_a_usable_label_conflicts_with_nothing() -> None:
    assert len(_clean(*GOOD, ("first text", "9"), labels=["0", "1"]).examples) == 2


@pytest.mark.parametrize(
    ("label", "labels", "names", "first"),
    [
        ("score > 0", None, ["false", "true"], "true"),
        ("score > 0", ["negative", "positive"], ["negative", "positive"], "positive"),
        ("score", None, ["0", "1"], "1"),
        ("score", ["1", "0"], ["1", "0"], "1"),
        ("score + 1", None, ["1", "2"], "2"),
    ],
)
def test_label_names(label: str, labels: list[str] | None, names: list[str], first: str) -> None:
    cleaned = _clean(*GOOD, label=label, labels=labels)
    assert cleaned.labels == names
    assert cleaned.examples[0].label == first


@pytest.mark.parametrize(
    ("label", "labels", "what"),
    [
        ("score > 0", ["a", "b", "c"], "two labels"),
        ("score", ["1", "1 "], "different names"),
        ("score > 5", None, "all 2 rows have the label 'false'"),
        ("score", ["good", "bad"], "no row is left after cleaning; rejected: 2 label not in labels"),
    ],
)
def test_data_that_cannot_be_used(label: str, labels: list[str] | None, what: str) -> None:
    with pytest.raises(DataError, match=what) as raised:
        _clean(*GOOD, label=label, labels=labels)
    assert raised.value.remedy
