from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from luthier.data.reading import Rejection, Row, column_names, read_rows
from luthier.errors import DataError

OFFSETS = pa.array([0, 1, 2, 3], pa.int32()).buffers()[1]
SPOILED = pa.StringArray.from_buffers(3, OFFSETS, pa.py_buffer(b"a\xffc"))
TABLE = pa.table(
    {
        "text": SPOILED,
        "n": pa.array([1, 2, None]),
        "x": pa.array([0.5, 1.0, float("nan")]),
        "kind": pa.array(["k", "k", "l"]).dictionary_encode(),
        "flag": pa.array([True, False, None]),
        "view": pa.array(["v", None, "été"], pa.string_view()),
        "list": pa.array([["p"], [], None]),
    }
)


def _write(path: Path, table: pa.Table, form: str) -> Path:
    if form == "parquet":
        pq.write_table(table, path)
    elif form == "feather":
        pyarrow.feather.write_feather(table, path)
    else:
        with (pa.ipc.new_stream if form == "stream" else pa.ipc.new_file)(path, table.schema) as writer:
            writer.write_table(table)
    return path


@pytest.mark.parametrize(
    ("name", "form"), [("a.parquet", "parquet"), ("a.arrow", "stream"), ("a.ipc", "file"), ("a.feather", "feather")]
)
def test_an_undecodable_text_costs_its_own_row_in_every_form(tmp_path: Path, name: str, form: str) -> None:
    path = _write(tmp_path / name, TABLE, form)
    first, bad, last = read_rows(path)
    assert isinstance(first, Row) and isinstance(bad, Rejection) and isinstance(last, Row)
    assert list(first.values.values()) == ["a", "1", "0.5", "k", "true", "v", '["p"]']
    assert (bad.line, bad.reason) == (2, "undecodable text")
    assert (last.line, list(last.values.values())) == (3, ["c", None, None, "l", None, "été", None])
    assert column_names(path) == TABLE.column_names


def test_an_undecodable_text_in_a_list_costs_its_own_row(tmp_path: Path) -> None:
    table = pa.table({"words": pa.ListArray.from_arrays([0, 1, 2, 3], SPOILED)})
    records = list(read_rows(_write(tmp_path / "a.arrow", table, "stream")))
    assert [type(record) for record in records] == [Row, Rejection, Row]


def test_numbers_go_on_from_batch_to_batch(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.arrow", pa.table({"n": range(20_000)}), "file")
    assert [(row.line, row.values["n"]) for row in read_rows(path) if isinstance(row, Row)] == [
        (number + 1, str(number)) for number in range(20_000)
    ]


@pytest.mark.parametrize("content", [b"", b"ARROW1 not really", b"nothing of the kind"])
def test_what_is_no_arrow_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.arrow"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not an Arrow file"):
        list(read_rows(path))


def test_a_file_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.arrow", pa.table({"n": range(20_000)}), "stream")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match="damaged"):
        list(read_rows(path))
