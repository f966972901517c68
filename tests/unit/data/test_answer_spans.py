"""Answers in texts, through cleaning."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.cleaning import Cleaner, CleanRow, Dropped
from luthier.recipe.data_section import DataSection

TEXT = "Ann met Bob in Rome, and Bob met Ann."
COLUMNS = ["context", "question", "answer", "answer_start"]


def _clean(answer: str | None, start: str | None = None, *, text: str = TEXT, **more: Any) -> CleanRow | Dropped:
    columns = {"text": "context", "pair": "question", "label": "answer"}
    named = {} if start is None else {"answer_start": "answer_start"}
    section = {"source": "a.csv", "columns": {**columns, **named}, "label_kind": "answers", **more}
    row = {"context": text, "question": " Who? ", "answer": answer, "answer_start": start, "_file": "a", "_line": 1}
    return Cleaner(DataSection.model_validate(section), COLUMNS).clean(0, row)


def _answers(*given_row: str | None, **more: Any) -> list[str]:
    row = _clean(*given_row, **more)
    assert isinstance(row, CleanRow), row
    assert {span["label"] for span in row.target} <= {"answer"}
    return [row.text[span["start"] : span["end"]] for span in row.target]


def _reason(*given_row: str | None, **more: Any) -> tuple[str, str]:
    dropped = _clean(*given_row, **more)
    assert isinstance(dropped, Dropped), dropped
    return dropped.kind, dropped.reason


@pytest.mark.parametrize(
    ("written", "answers"),
    [
        ({"text": ["Bob", "Ann"], "answer_start": [8, 0]}, ["Bob", "Ann"]),
        ({"text": [], "answer_start": []}, []),
        ([{"text": "Bob in Rome", "answer_start": 8}, {"text": "Bob", "answer_start": 8}], ["Bob in Rome", "Bob"]),
        ([{"text": "Bob", "answer_start": 25}, {"text": "Bob", "answer_start": 25}], ["Bob", "Bob"]),
        ([{"start": 15, "end": 19}], ["Rome"]),
        ([{"start": 15, "end": 19, "text": "Rome"}], ["Rome"]),
        ([], []),
    ],
)
def test_answers_are_read_in_every_form_and_may_overlap_repeat_and_be_none(written: Any, answers: list[str]) -> None:
    assert _answers(json.dumps(written)) == answers


@pytest.mark.parametrize(
    ("answer", "start", "answers"),
    [("Bob", "8", ["Bob"]), ("Bob", "8.0", ["Bob"]), ("", "-1", []), (None, "", []), ("Bob", "-1", [])],
)
def test_an_answer_and_its_place_may_stand_in_columns(answer: str | None, start: str, answers: list[str]) -> None:
    assert _answers(answer, start) == answers


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ({"text": ["Bob"], "answer_start": [9]}, "answer not at its place"),
        ({"text": ["Bob"], "answer_start": [-1]}, "answer not at its place"),
        ({"text": ["bob"], "answer_start": [8]}, "answer not at its place"),
        ({"text": ["Ann."], "answer_start": [36]}, "answer not at its place"),
        ([{"start": 15, "end": 19, "text": "Bob"}], "answer not at its place"),
        ({"text": ["Bob", "Ann"], "answer_start": [8]}, "broken answers"),
        ({"text": "Bob", "answer_start": 8}, "broken answers"),
        ({"text": [""], "answer_start": [8]}, "broken answers"),
        ({"text": ["Bob"], "answer_start": ["8"]}, "broken answers"),
        ({"text": ["Bob"], "answer_start": [True]}, "broken answers"),
        ({"text": [None], "answer_start": [8]}, "broken answers"),
        ([{"start": 3}], "broken answers"),
        (["Bob"], "broken answers"),
        ("Bob", "broken answers"),
        ([{"start": 8, "end": 8}], "span empty"),
        ([{"start": 8, "end": 99}], "span out of range"),
    ],
)
def test_an_answer_that_is_not_in_the_text_rejects_its_row(written: Any, kind: str) -> None:
    assert _reason(json.dumps(written))[0] == kind


def test_the_reason_has_both_texts() -> None:
    reason = ("answer not at its place", "at 9 stands 'ob ', the answer is 'Bob'")
    assert _reason("Bob", "9") == _reason(json.dumps({"text": ["Bob"], "answer_start": [9]})) == reason


@pytest.mark.parametrize(
    ("answer", "start", "kind"),
    [
        ("Bob", "", "broken answers"),
        ("Bob", "8.5", "broken answers"),
        ("Bob", "nan", "broken answers"),
        ("Bob", "1e99", "answer not at its place"),
        ("Bob", "-2", "answer not at its place"),
    ],
)
def test_a_place_that_is_none_rejects_its_row(answer: str, start: str, kind: str) -> None:
    assert _reason(answer, start)[0] == kind


def test_labels_that_are_no_json_and_pairs_that_are_not_there_reject_their_row() -> None:
    assert _reason("[") == ("broken answers", "no JSON with answers: '['")
    assert _reason(" ")[0] == "missing label"
    assert _reason("[]", cleaning={"missing": [" Who? "]}) == ("missing pair", "missing pair")


@given(before=st.text(max_size=20), answer=st.text(min_size=1, max_size=10), after=st.text(max_size=20))
def test_an_answer_still_stands_where_it_stood(before: str, answer: str, after: str) -> None:
    written = json.dumps({"text": [answer], "answer_start": [len(before)]})
    clean = _clean(written, text=before + answer + after)
    if isinstance(clean, Dropped):
        assert clean.kind == ("empty text" if not clean.reason.startswith("no answer") else "broken answers")
        return
    (span,) = clean.target
    assert (span["start"], span["end"]) == (len(before), len(before) + len(answer))
    there = clean.text[span["start"] : span["end"]]
    assert all(new in (old, " ") for old, new in zip(answer, there, strict=True))
    assert _answers(json.dumps([{"start": span["start"], "end": span["end"]}]), text=clean.text) == [there]
