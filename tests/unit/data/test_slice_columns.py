"""Columns that test rows are sliced by, in the splits."""

import json

import pyarrow.parquet as pq
import pytest

from luthier.errors import DataError
from tests.unit.data.conftest import SPLITS, lines

ROWS = lines()
SLICED = [{**row, "topic": ["sport", " ", "a  b", None][number % 4], "year": "2021"} for number, row in enumerate(ROWS)]
NAMED_SLICES = {"columns": {"text": "text", "label": "label", "slices": ["topic", "year"]}}


def test_columns_to_slice_by_stand_with_their_rows_and_move_nothing_else(divide) -> None:
    augmented = {"augmentation": {"below": 1000}}
    plain, sliced = divide(SLICED, **augmented), divide(SLICED, **augmented, **NAMED_SLICES)
    raw = pq.read_table(sliced.raw / "rows.parquet").to_pylist()
    for split in SPLITS:
        tables = [pq.read_table(divided.splits / f"{split}.parquet") for divided in (plain, sliced)]
        assert tables[0].drop_columns("slices").equals(tables[1].drop_columns("slices"))
        assert tables[0]["slices"].null_count == len(tables[0])
        for row in sliced.table(split):
            origin = raw[row["parent"] if row["row"] is None else row["row"]]
            said = {"sport": "sport", "a  b": "a b"}.get(origin["topic"])
            assert json.loads(row["slices"]) == {"topic": said, "year": "2021"}
            assert row["file"] == "a.jsonl"
    assert any(row["parent"] is not None for row in sliced.table("train"))


def test_a_text_that_means_a_missing_value_means_it_in_a_slice_too(divide) -> None:
    divided = divide(SLICED, cleaning={"missing": ["2021"]}, **NAMED_SLICES)
    assert {json.loads(row["slices"])["year"] for name in SPLITS for row in divided.table(name)} == {None}


def test_a_column_to_slice_by_must_be_there(divide) -> None:
    with pytest.raises(DataError, match="no column 'topics'"):
        divide(SLICED, columns={"text": "text", "label": "label", "slices": ["topics"]})


def test_conversations_have_slices_too(divide) -> None:
    rows = [
        {"instruction": f"say {row['text']}", "output": f"said {number}", "topic": "sport"}
        for number, row in enumerate(ROWS)
    ]
    divided = divide(rows, columns={"slices": ["topic"]}, label_kind="text", split={"by": "random"})
    assert {row["slices"] for row in divided.table("test")} == {'{"topic": "sport"}'}
