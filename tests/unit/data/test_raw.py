import json
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from luthier.data.raw import RawSource, preview, read_raw_facts, write_raw_data
from luthier.errors import DataError
from luthier.sources import Access, fetch
from tests.unit.data.conftest import fetched


def _sources(path: Path, content: bytes) -> list[RawSource]:
    path.write_bytes(content)
    return [RawSource(fetched(path))]


def test_rows_rejections_and_facts(tmp_path: Path) -> None:
    sources = _sources(tmp_path / "a.csv", b"text,n\ngood,NA\n\xff,1\na,b,c\na,b,c,d\nfine,\n")
    folder = tmp_path / "raw"
    facts = write_raw_data(sources, folder, required_columns=["text"])
    rows = pq.read_table(folder / "rows.parquet")
    assert [str(field.type) for field in rows.schema] == ["string", "string", "string", "int64", "string"]
    assert rows.to_pylist() == [
        {"text": "good", "n": "NA", "_file": "a.csv", "_line": 2, "_split": None},
        {"text": "fine", "n": "", "_file": "a.csv", "_line": 6, "_split": None},
    ]
    rejected = pq.read_table(folder / "rejected.parquet").to_pylist()
    assert [(row["file"], row["line"], row["reason"]) for row in rejected] == [
        ("a.csv", 3, "undecodable text"),
        ("a.csv", 4, "3 fields where the header has 2"),
        ("a.csv", 5, "4 fields where the header has 2"),
    ]
    assert json.loads(rejected[1]["raw"]) == ["a", "b", "c"]
    assert facts.rejected_by_reason == {"undecodable text": 1, "wrong number of fields": 2}
    assert (facts.columns, facts.rows, facts.rejected, facts.where) == (["text", "n"], 2, 3, "a.csv")
    assert read_raw_facts(folder) == facts
    assert json.loads((folder / "facts.json").read_text()) == asdict(facts)
    assert preview(folder, 1) == rows.to_pylist()[:1]


def test_more_rows_than_one_batch_keep_their_order(tmp_path: Path) -> None:
    sources = _sources(tmp_path / "a.jsonl", b"".join(b'{"n": %d}\n' % number for number in range(20_000)))
    write_raw_data(sources, tmp_path / "raw", required_columns=["n"])
    assert pq.read_table(tmp_path / "raw" / "rows.parquet")["n"].to_pylist() == [str(n) for n in range(20_000)]


def test_a_column_that_only_later_objects_have(tmp_path: Path) -> None:
    sources = _sources(tmp_path / "a.jsonl", b'{"text": "a"}\n{"text": "b", "label": "x"}\n')
    write_raw_data(sources, tmp_path / "raw", required_columns=["text", "label"])
    assert pq.read_table(tmp_path / "raw" / "rows.parquet")["label"].to_pylist() == [None, "x"]


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    sources = _sources(tmp_path / "a.csv", b"text,n\ngood,1\nbad\n")
    for name in ("one", "other"):
        write_raw_data(sources, tmp_path / name, required_columns=[])
    for file in ("rows.parquet", "rejected.parquet", "facts.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


def test_all_missing_columns_are_named_with_the_nearest(tmp_path: Path) -> None:
    sources = _sources(tmp_path / "a.csv", b"text,sentiment\na,1\n")
    with pytest.raises(DataError, match="no column 'sentimnt', 'zzz'") as raised:
        write_raw_data(sources, tmp_path / "raw", required_columns=["text", "sentimnt", "zzz"])
    assert "'sentiment' for 'sentimnt'" in str(raised.value)


def test_no_rows_but_a_header_is_an_empty_table(tmp_path: Path) -> None:
    facts = write_raw_data(_sources(tmp_path / "a.csv", b"a,b\n"), tmp_path / "raw", required_columns=["a"])
    assert facts.rows == 0
    assert preview(tmp_path / "raw") == []


def test_sources_are_read_after_each_other_with_their_split_and_the_columns_of_all(tmp_path: Path) -> None:
    one = _sources(tmp_path / "a.csv", b"text,n\ngood,1\n")
    other = _sources(tmp_path / "b.jsonl", b'{"text": "bad", "m": 2}\n')
    sources = [RawSource(one[0].fetched, "train"), RawSource(other[0].fetched, "test")]
    facts = write_raw_data(sources, tmp_path / "raw", required_columns=["text"])
    assert [(source.uri, source.split) for source in facts.sources] == [("a.csv", "train"), ("b.jsonl", "test")]
    assert pq.read_table(tmp_path / "raw" / "rows.parquet").to_pylist() == [
        {"text": "good", "n": "1", "m": None, "_file": "a.csv", "_line": 2, "_split": "train"},
        {"text": "bad", "n": None, "m": "2", "_file": "b.jsonl", "_line": 1, "_split": "test"},
    ]


def test_files_of_a_glob_are_known_by_their_paths_and_one_without_a_column_is_named(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows.csv").write_text(f"text\nfrom {name}\n")
    access = Access(downloads=tmp_path / "downloads", root=tmp_path)
    sources = [RawSource(fetch("*/rows.csv", access))]
    write_raw_data(sources, tmp_path / "raw", required_columns=["text"])
    files = pq.read_table(tmp_path / "raw" / "rows.parquet")["_file"].to_pylist()
    assert files == ["one/rows.csv", "two/rows.csv"]
    (tmp_path / "two" / "rows.csv").write_text("txt\nfrom two\n")
    with pytest.raises(DataError, match=r"file two/rows\.csv: no column 'text'"):
        write_raw_data([RawSource(fetch("*/rows.csv", access))], tmp_path / "raw2", required_columns=["text"])
