import json
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from luthier.data.raw import preview, read_raw_facts, write_raw_data
from luthier.errors import DataError
from luthier.sources.fetched import Fetched


def _fetched(path: Path, content: bytes) -> Fetched:
    path.write_bytes(content)
    return Fetched(path, f"file://{path.name}", "f" * 64, {"scheme": "file"})


def test_rows_rejections_and_facts(tmp_path: Path) -> None:
    fetched = _fetched(tmp_path / "a.csv", b"text,n\ngood,NA\n\xff,1\na,b,c\na,b,c,d\nfine,\n")
    folder = tmp_path / "raw"
    facts = write_raw_data(fetched, folder, required_columns=["text"])
    rows = pq.read_table(folder / "rows.parquet")
    assert [str(field.type) for field in rows.schema] == ["string", "string", "string", "int64"]
    assert rows.to_pylist() == [
        {"text": "good", "n": "NA", "_file": "a.csv", "_line": 2},
        {"text": "fine", "n": "", "_file": "a.csv", "_line": 6},
    ]
    rejected = pq.read_table(folder / "rejected.parquet").to_pylist()
    assert [(row["file"], row["line"], row["reason"]) for row in rejected] == [
        ("a.csv", 3, "undecodable text"),
        ("a.csv", 4, "3 fields where the header has 2"),
        ("a.csv", 5, "4 fields where the header has 2"),
    ]
    assert json.loads(rejected[1]["raw"]) == ["a", "b", "c"]
    assert facts.rejected_by_reason == {"undecodable text": 1, "wrong number of fields": 2}
    assert (facts.columns, facts.rows, facts.rejected, facts.source) == (["text", "n"], 2, 3, "file://a.csv")
    assert read_raw_facts(folder) == facts
    assert json.loads((folder / "facts.json").read_text()) == asdict(facts)
    assert preview(folder, 1) == rows.to_pylist()[:1]


def test_more_rows_than_one_batch_keep_their_order(tmp_path: Path) -> None:
    fetched = _fetched(tmp_path / "a.jsonl", b"".join(b'{"n": %d}\n' % number for number in range(20_000)))
    write_raw_data(fetched, tmp_path / "raw", required_columns=["n"])
    assert pq.read_table(tmp_path / "raw" / "rows.parquet")["n"].to_pylist() == [str(n) for n in range(20_000)]


def test_a_column_that_only_later_objects_have(tmp_path: Path) -> None:
    fetched = _fetched(tmp_path / "a.jsonl", b'{"text": "a"}\n{"text": "b", "label": "x"}\n')
    write_raw_data(fetched, tmp_path / "raw", required_columns=["text", "label"])
    assert pq.read_table(tmp_path / "raw" / "rows.parquet")["label"].to_pylist() == [None, "x"]


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    fetched = _fetched(tmp_path / "a.csv", b"text,n\ngood,1\nbad\n")
    for name in ("one", "other"):
        write_raw_data(fetched, tmp_path / name, required_columns=[])
    for file in ("rows.parquet", "rejected.parquet", "facts.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


def test_all_missing_columns_are_named_with_the_nearest(tmp_path: Path) -> None:
    fetched = _fetched(tmp_path / "a.csv", b"text,sentiment\na,1\n")
    with pytest.raises(DataError, match="no column 'sentimnt', 'zzz'") as raised:
        write_raw_data(fetched, tmp_path / "raw", required_columns=["text", "sentimnt", "zzz"])
    assert "'sentiment' for 'sentimnt'" in str(raised.value)


def test_no_rows_but_a_header_is_an_empty_table(tmp_path: Path) -> None:
    facts = write_raw_data(_fetched(tmp_path / "a.csv", b"a,b\n"), tmp_path / "raw", required_columns=["a"])
    assert facts.rows == 0
    assert preview(tmp_path / "raw") == []
