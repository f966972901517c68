from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.data.leakage import find_leaks, labels_complete
from luthier.data.splits import split_schema
from luthier.data.tables import write_facts

Row = dict[str, Any]
CLEAN: dict[str, list[Row]] = {
    "train": [{"row": 0, "text": "one", "label": "a"}, {"row": 1, "text": "two", "label": "b"}],
    "validation": [{"row": 2, "text": "three", "label": "a"}, {"row": 3, "text": "four", "label": "b"}],
    "test": [{"row": 4, "text": "five", "label": "a"}, {"row": 5, "text": "six", "label": "b"}],
}
PAIRS = [("train", "validation"), ("train", "test"), ("validation", "test")]
PLANTED = "The planted row, which is long enough to have some shingles"
ANSWER = "it was the butler with the candlestick"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes splits; label ids follow from the labels."""

    def _write(splits: dict[str, list[Row]], kind: str = "single") -> Path:
        for name, rows in splits.items():
            ids = {"a": 0, "b": 1} if kind == "single" else {}
            records = [{"label_id": ids.get(row["label"]), **row} for row in rows]
            pq.write_table(pa.Table.from_pylist(records, split_schema(kind)), tmp_path / f"{name}.parquet")
        facts = {"labels": ["a", "b"], "label_kind": kind, "near_duplicates": {"threshold": 0.8}}
        write_facts(tmp_path / "facts.json", facts)
        return tmp_path

    return _write


def _found(folder: Path) -> dict[str, dict[str, int]]:
    return {kind: pairs for kind, pairs in find_leaks(folder).counts.items() if pairs}


def test_clean_splits_have_no_leaks_and_no_gaps(write) -> None:
    folder = write(CLEAN)
    assert _found(folder) == {}
    assert find_leaks(folder).rows == {"train": 2, "validation": 2, "test": 2}
    assert labels_complete(folder) == []


@pytest.mark.parametrize(("a", "b"), PAIRS)
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (PLANTED, "exact"),
        (f" {PLANTED.upper()}!", "normalised"),
        (f"{PLANTED}s", "near-duplicate"),
    ],
)
def test_a_planted_text_is_found(write, a: str, b: str, text: str, kind: str) -> None:
    planted = {
        a: [*CLEAN[a], {"row": 8, "text": PLANTED, "label": "a"}],
        b: [*CLEAN[b], {"row": 9, "text": text, "label": "b"}],
    }
    folder = write({**CLEAN, **planted})
    assert _found(folder) == {kind: {f"{a}/{b}": 1}}
    (leak,) = find_leaks(folder).examples
    assert (leak.kind, leak.split_a, leak.row_a, leak.text_a) == (kind, a, 8, PLANTED)
    assert (leak.split_b, leak.row_b, leak.text_b) == (b, 9, text)
    assert (leak.similarity is None) == (kind != "near-duplicate")


QUESTION = "Who is it that was planted in these rows, and what for?"


@pytest.mark.parametrize(
    ("text", "pair", "kind"),
    [
        (PLANTED, QUESTION, "exact"),
        (PLANTED.upper(), f" {QUESTION}!", "normalised"),
        (f"{PLANTED}s", f"{QUESTION}s", "near-duplicate"),
        (PLANTED, "What else could one wish to know?", None),
        ("Another text, which has nothing to do with it", QUESTION, None),
        (QUESTION, PLANTED, None),
    ],
)
def test_a_planted_pair_is_found_only_where_both_texts_are_the_same(write, text: str, pair: str, kind: str) -> None:
    splits = {name: [{**row, "pair": f"other {row['row']}"} for row in rows] for name, rows in CLEAN.items()}
    splits["train"].append({"row": 8, "text": PLANTED, "pair": QUESTION, "label": "a"})
    splits["test"].append({"row": 9, "text": text, "pair": pair, "label": "b"})
    folder = write(splits)
    assert _found(folder) == ({kind: {"train/test": 1}} if kind else {})
    if kind:
        (leak,) = find_leaks(folder).examples
        assert (leak.text_a, leak.text_b) == (f"{PLANTED} \n {QUESTION}", f"{text} \n {pair}")


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_a_planted_group_is_found(write, a: str, b: str) -> None:
    splits = {name: [{**row, "group": f"{name} {row['row']}"} for row in rows] for name, rows in CLEAN.items()}
    splits[a][0]["group"] = splits[b][1]["group"] = "shared"
    assert _found(write(splits)) == {"group": {f"{a}/{b}": 1}}


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_a_planted_answer_is_found_in_an_earlier_prompt_alone(write, a: str, b: str) -> None:
    splits = {name: [{**row, "label": f"a short {row['row']}"} for row in rows] for name, rows in CLEAN.items()}
    splits[b][0]["label"] = f"{ANSWER.title()}!"
    splits[a][1]["text"] = f"As they say, {ANSWER} again"
    assert _found(write(splits, "text")) == {"answer in prompt": {f"{a}/{b}": 1}}
    splits[a][1]["text"], splits[b][1]["text"] = "seven", f"As they say, {ANSWER} again"
    assert _found(write(splits, "text")) == {}


def test_every_leaked_row_is_counted_once(write) -> None:
    train = [*CLEAN["train"], {"row": 7, "text": "Same", "label": "a"}, {"row": 8, "text": "same", "label": "a"}]
    test = [*CLEAN["test"], {"row": 9, "text": "same", "label": "a"}, {"row": 10, "text": "same.", "label": "a"}]
    folder = write({**CLEAN, "train": train, "test": test})
    assert _found(folder) == {"exact": {"train/test": 1}, "normalised": {"train/test": 1}}


def test_the_nearest_pair_that_is_no_leak_is_told(write) -> None:
    far = PLANTED.replace("planted row", "sown line").replace("some", "a few")
    train = [*CLEAN["train"], {"row": 7, "text": PLANTED, "label": "a"}]
    folder = write({**CLEAN, "train": train, "test": [*CLEAN["test"], {"row": 9, "text": far, "label": "a"}]})
    assert _found(folder) == {}
    nearest = find_leaks(folder).nearest
    assert nearest is None or 0 < (nearest.similarity or 0) < 0.8


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([{"row": 4, "text": "five", "label": "a"}], "test: no row of label 'b'"),
        ([*CLEAN["test"], {"row": 6, "text": "seven", "label": None}], "test: 1 rows without a label"),
        (
            [*CLEAN["test"], {"row": 6, "text": "seven", "label": "a", "label_id": 1}],
            "test: 1 rows whose label_id is not their label's, row 6 first",
        ),
        ([*CLEAN["test"], {"row": 6, "text": "seven", "label": "c", "label_id": 2}], "test: label 'c' is unknown"),
    ],
)
def test_gaps_in_labels_are_named(write, rows: list[Row], problem: str) -> None:
    assert labels_complete(write({**CLEAN, "test": rows})) == [problem]
