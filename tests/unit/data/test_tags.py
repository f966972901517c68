"""One tag for each word, through cleaning, as spans."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.cleaning import Cleaner, CleanRow, Dropped
from luthier.recipe.data_section import DataSection

WORDS = "Ann Lee met Bob in Rome"
ANN_LEE, BOB, ROME = (0, 7, "per"), (12, 15, "per"), (19, 23, "loc")


def _clean(text: str, tags: str | None, **data: Any) -> CleanRow | Dropped:
    section = {"source": "a.csv", "columns": {"text": "text", "label": "tags"}, "label_kind": "tags", **data}
    cleaner = Cleaner(DataSection.model_validate(section), ["text", "tags"])
    return cleaner.clean(0, {"text": text, "tags": tags, "_file": "a.csv", "_line": 1})


def _spans(text: str, tags: str, **data: Any) -> list[tuple[int, int, str]]:
    row = _clean(text, tags, **data)
    assert isinstance(row, CleanRow), row
    return [(span["start"], span["end"], span["label"]) for span in row.target]


def _reason(text: str, tags: str | None, **data: Any) -> tuple[str, str]:
    dropped = _clean(text, tags, **data)
    assert isinstance(dropped, Dropped), dropped
    return dropped.kind, dropped.reason


@pytest.mark.parametrize(
    "tags",
    [
        "B-per I-per O B-per O B-loc",
        "I-per I-per O I-per O I-loc",
        "B-per E-per O S-per O S-loc",
        '["B-per", "I-per", "O", "B-per", "O", "B-loc"]',
        " B-per\tI-per  O B-per\nO B-loc ",
    ],
)
def test_iob2_iob1_and_iobes_mark_the_same_spans(tags: str) -> None:
    assert _spans(WORDS, tags) == [ANN_LEE, BOB, ROME]


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("B-x B-x", [(0, 1, "x"), (2, 3, "x")]),
        ("I-x B-x", [(0, 1, "x"), (2, 3, "x")]),
        ("I-x I-y", [(0, 1, "x"), (2, 3, "y")]),
        ("S-x I-x", [(0, 1, "x"), (2, 3, "x")]),
        ("E-x I-x", [(0, 1, "x"), (2, 3, "x")]),
        ("x x", [(0, 1, "x"), (2, 3, "x")]),
        ("x I-x", [(0, 1, "x"), (2, 3, "x")]),
        ("O E-x", [(2, 3, "x")]),
        ("O O", []),
        ("B- B-a-b", [(0, 1, "B-"), (2, 3, "a-b")]),
    ],
)
def test_neighbours_are_one_span_only_where_the_tags_say_so(tags: str, spans: list[tuple[int, int, str]]) -> None:
    assert _spans("a b", tags) == spans


def test_words_come_as_a_list_and_keep_what_is_in_them() -> None:
    words = ["New\u00a0York", "is", "[big]"]
    row = _clean(json.dumps(words), json.dumps(["B-loc", "O", "O"]))
    assert isinstance(row, CleanRow)
    assert row.text == "New York is [big]"
    assert row.target == [{"start": 0, "end": 8, "label": "loc"}]
    assert _spans("[Rome] is", "B-loc O") == [(0, 6, "loc")]


def test_numbers_are_tags_once_they_have_names() -> None:
    names = {"0": "O", "1": "B-per", "2": "I-per", "3": "B-loc"}
    numbers = "[1, 2, 0, 1, 0, 3]"
    assert _spans(WORDS, numbers, label_map=names, labels=["per", "loc"]) == [ANN_LEE, BOB, ROME]
    assert _reason(WORDS, numbers)[0] == "tag without a name"


def test_labels_are_renamed_and_looked_up_without_their_prefix() -> None:
    assert _spans("a b", "B-PER I-PER", label_map={"PER": "person"}) == [(0, 3, "person")]
    assert _spans("a b", "x y", label_map={"x": "y", "y": "x"}) == [(0, 1, "y"), (2, 3, "x")]
    assert _reason("a b", "B-per O", labels=["loc", "org"])[0] == "label not in labels"


@pytest.mark.parametrize(
    ("text", "tags", "kind", "reason"),
    [
        ("a b c", "O O", "words and tags differ in number", "3 words and 2 tags"),
        ("a b", '["O", "O", "O"]', "words and tags differ in number", "2 words and 3 tags"),
        ('["a", "b c"]', "O O O", "words and tags differ in number", "2 words and 3 tags"),
        ('["a", " "]', "O O", "empty word", "word 2 of 2 is empty"),
        ("a b", None, "missing label", "missing label"),
        ("a b", " ", "missing label", "missing label"),
        ("a b", '["O", null]', "broken tags", ""),
        ("a b", '["O", ""]', "broken tags", ""),
        ("a b", '["O", "O"', "broken tags", ""),
        ("a b", "B-\u200b O", "tag without a name", ""),
        ("a b", "\u200b O", "tag without a name", ""),
        ("[]", "O", "empty text", "empty text"),
    ],
)
def test_tags_that_fit_no_words_reject_their_row(text: str, tags: str | None, kind: str, reason: str) -> None:
    found = _reason(text, tags)
    assert found[0] == kind and reason in found[1]


@given(st.lists(st.tuples(st.text(min_size=1, max_size=6), st.sampled_from(["O", "B-x", "I-x", "y"])), max_size=8))
def test_spans_lie_where_the_tagged_words_were(tagged: list[tuple[str, str]]) -> None:
    words = [word for word, _ in tagged]
    row = _clean(json.dumps(words), json.dumps([tag for _, tag in tagged]))
    if isinstance(row, Dropped):
        assert row.kind in ("empty text", "empty word")
        return
    assert len(row.text) == len(" ".join(words))
    marked = {place for span in row.target for place in range(span["start"], span["end"])}
    place = 0
    for word, tag in tagged:
        assert all((at in marked) == (tag != "O") for at in range(place, place + len(word)))
        place += len(word) + 1
