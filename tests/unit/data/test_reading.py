import gzip
import json
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.reading import FORM_OF, TABLE_FORMS, TEXT_FORMS, Rejection, Row, column_names, read_rows
from luthier.errors import DataError
from luthier.recipe.data_section import DataFormat


def _read(path: Path, content: bytes) -> tuple[list[tuple[int, dict]], list[tuple[int, str]]]:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    records = list(read_rows(path))
    assert all(record.file == path.name for record in records)
    rows = [(record.line, dict(record.values)) for record in records if isinstance(record, Row)]
    return rows, [(record.line, record.reason) for record in records if isinstance(record, Rejection)]


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.csv.gz"])
def test_csv_keeps_every_text_and_physical_lines(tmp_path: Path, name: str) -> None:
    content = b'\xef\xbb\xbfid, text \r\n1,NA\r\n\r\n2,"two\r\nlines, ""quoted"""\r\n3,null\r\n4,\r\n5,last'
    rows, rejected = _read(tmp_path / name, content)
    assert rows == [
        (2, {"id": "1", "text": "NA"}),
        (4, {"id": "2", "text": 'two\r\nlines, "quoted"'}),
        (6, {"id": "3", "text": "null"}),
        (7, {"id": "4", "text": ""}),
        (8, {"id": "5", "text": "last"}),
    ]
    assert rejected == []
    assert column_names(tmp_path / name) == ["id", "text"]


def test_tsv(tmp_path: Path) -> None:
    assert _read(tmp_path / "a.tsv", b"text\tlabel\na, b\tx\n")[0] == [(2, {"text": "a, b", "label": "x"})]


def test_bad_csv_rows_are_rejected_each_with_its_reason(tmp_path: Path) -> None:
    content = b"text,label\ngood,1\n\xff\xfe,1\na,b,c\nonly\nnul\0,1\n\xc3\xa9t\xc3\xa9,0\n"
    rows, rejected = _read(tmp_path / "a.csv", content)
    assert [line for line, _ in rows] == [2, 7]
    assert rejected == [
        (3, "undecodable text"),
        (4, "3 fields where the header has 2"),
        (5, "1 fields where the header has 2"),
        (6, "NUL byte"),
    ]


@pytest.mark.parametrize("following", [3, 20_000])
def test_a_quote_that_is_never_closed_costs_one_line(tmp_path: Path, following: int) -> None:
    content = 'text,label\nfine,1\n"open,0\n' + "".join(f"row {number},1\n" for number in range(following))
    rows, rejected = _read(tmp_path / "a.csv", content.encode())
    assert rejected == [(3, "a quote that is never closed")]
    assert [line for line, _ in rows] == [2, *range(4, 4 + following)]


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        '{"text": "a", "n": 1.50, "flag": true, "none": null}',
        "",
        '{"text": "b", "extra": [1, {"k": "v"}]}',
        "{broken",
        "[1]",
        '{"text": "\\ud800"}',
        '{"text": "\\u0000"}',
        "[" * 100_000,
    ]
    rows, rejected = _read(tmp_path / "a.jsonl", "\r\n".join(lines).encode() + b'\n{"text": "\xff"}\n')
    assert rows == [
        (1, {"text": "a", "n": "1.5", "flag": "true", "none": None}),
        (3, {"text": "b", "extra": '[1, {"k": "v"}]'}),
    ]
    assert [(line, reason.split(":")[0]) for line, reason in rejected] == [
        (4, "broken JSON"),
        (5, "not a JSON object"),
        (6, "undecodable text"),
        (7, "NUL byte"),
        (8, "broken JSON"),
        (9, "undecodable text"),
    ]
    assert column_names(tmp_path / "a.jsonl") == ["text", "n", "flag", "none", "extra"]


def test_text_has_a_row_for_every_line_that_is_not_blank(tmp_path: Path) -> None:
    rows, rejected = _read(tmp_path / "a.txt", b"first, line\r\n\n \t\n\xff\n  last")
    assert rows == [(1, {"text": "first, line"}), (5, {"text": "  last"})]
    assert rejected == [(4, "undecodable text")]
    assert column_names(tmp_path / "a.txt") == ["text"]


@pytest.mark.parametrize("form", ["tsv", "orange"])
def test_a_form_that_is_given_counts_more_than_the_suffix(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\tc\n1,2\t3\n")
    assert column_names(path, form) == ["a,b", "c"]
    assert [dict(row.values) for row in read_rows(path, form) if isinstance(row, Row)] == [{"a,b": "1,2", "c": "3"}]


def test_every_form_of_a_recipe_can_be_read() -> None:
    assert {*TEXT_FORMS, *TABLE_FORMS} == set(get_args(DataFormat)) == set(FORM_OF.values())


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", b"", "no columns"),
        ("a.csv", b"\n,\n", "no columns"),
        ("a.jsonl", b"\n", "no columns"),
        ("a.csv", "text,label\n".encode("utf-16-le"), "not UTF-8"),
        ("a.csv", "text,label\n".encode("utf-16") + b"x", "damaged utf-16"),
        ("a.csv", b"a,a\n1,2\n", "same name"),
        ("a.csv", b"a,_line\n1,2\n", "taken"),
        ("a.csv.gz", b"no gzip", "damaged"),
        ("a.csv.gz", gzip.compress(b"a,b\n" + bytes(range(65, 90)) * 999)[:-20], "damaged"),
        ("a.parquet", b"PAR1 not really", "not a Parquet file"),
        ("a.parquet.gz", b"", "packed as .gz"),
        ("a.xlsx", b"", "unknown form"),
        ("a", b"", "unknown form"),
    ],
)
def test_files_that_are_no_data(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=what):
        list(read_rows(path)), column_names(path)


def test_a_folder_is_no_data_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder"):
        list(read_rows(tmp_path))


@given(st.binary(max_size=200))
def test_every_line_without_quotes_is_a_row_or_a_rejection(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes
) -> None:
    path = tmp_path_factory.mktemp("noise") / "a.csv"
    body = noise.replace(b'"', b"'").replace(b"\r", b"\n")
    path.write_bytes(b"text,label\n" + body)
    records = list(read_rows(path))
    assert [record.line for record in records] == [n for n, line in enumerate(body.split(b"\n"), 2) if line]
    for record in records:
        assert isinstance(record, Row) or json.loads(record.raw) is not None
