from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.data.leakage import Leak, labels_complete, leaks
from luthier.data.tables import write_facts

SCHEMA = pa.schema({"row": pa.int64(), "text": pa.string(), "label": pa.string(), "label_id": pa.int64()})
CLEAN = {
    "train": [(0, "one", "a", 0), (1, "two", "b", 1)],
    "validation": [(2, "three", "a", 0), (3, "four", "b", 1)],
    "test": [(4, "five", "a", 0), (5, "six", "b", 1)],
}


def _write(folder: Path, splits: dict[str, list[Any]]) -> Path:
    for name, rows in splits.items():
        records = [dict(zip(SCHEMA.names, row, strict=True)) for row in rows]
        pq.write_table(pa.Table.from_pylist(records, SCHEMA), folder / f"{name}.parquet")
    write_facts(folder / "facts.json", {"labels": ["a", "b"]})
    return folder


def test_clean_splits_have_no_leaks_and_no_gaps(tmp_path: Path) -> None:
    _write(tmp_path, CLEAN)
    assert leaks(tmp_path) == []
    assert labels_complete(tmp_path) == []


@pytest.mark.parametrize(("a", "b"), [("train", "validation"), ("train", "test"), ("validation", "test")])
@pytest.mark.parametrize(("text", "kind"), [("planted row", "exact"), ("Planted  ROW!", "normalised")])
def test_a_planted_leak_is_found(tmp_path: Path, a: str, b: str, text: str, kind: Any) -> None:
    planted = {a: [*CLEAN[a], (8, "planted row", "a", 0)], b: [*CLEAN[b], (9, text, "b", 1)]}
    _write(tmp_path, {**CLEAN, **planted})
    assert leaks(tmp_path) == [Leak(kind, a, b, 8, 9, "planted row", text)]


def test_every_leaked_row_is_counted_once(tmp_path: Path) -> None:
    train = [*CLEAN["train"], (7, "Same", "a", 0), (8, "same", "a", 0)]
    _write(tmp_path, {**CLEAN, "train": train, "test": [*CLEAN["test"], (9, "same", "a", 0), (10, "same.", "a", 0)]})
    assert [(leak.kind, leak.row_a, leak.row_b) for leak in leaks(tmp_path)] == [("exact", 8, 9), ("normalised", 7, 10)]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([(4, "five", "a", 0)], "test: no row of label 'b'"),
        ([*CLEAN["test"], (6, "seven", None, None)], "test: 1 rows without a label"),
        ([*CLEAN["test"], (6, "seven", "a", 1)], "test: 1 rows whose label_id is not their label's, row 6 first"),
        ([*CLEAN["test"], (6, "seven", "c", 2)], "test: label 'c' is unknown"),
    ],
)
def test_gaps_in_labels_are_named(tmp_path: Path, rows: list[Any], problem: str) -> None:
    assert labels_complete(_write(tmp_path, {**CLEAN, "test": rows})) == [problem]
