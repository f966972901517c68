import json
from pathlib import Path
from typing import Any

import pytest

from luthier.data import json_array
from luthier.data.reading import Rejection, Row, column_names, read_rows
from luthier.errors import DataError


def _read(path: Path, content: str) -> tuple[list[tuple[int, dict[str, Any]]], list[tuple[int, str]]]:
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    records = list(read_rows(path))
    rows = [(record.line, dict(record.values)) for record in records if isinstance(record, Row)]
    return rows, [(record.line, record.kind) for record in records if isinstance(record, Rejection)]


ROWS = [{"text": "a, [b] {c}", "n": 1}, {"text": 'quoted "d"', "n": None, "more": [{"x": 1}]}]
EXPECTED = [{"text": "a, [b] {c}", "n": "1"}, {"text": 'quoted "d"', "n": None, "more": '[{"x": 1}]'}]


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("piece", [7, 1 << 20])
def test_an_array_is_read_in_pieces_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, indent: int | None, wrapped: bool, piece: int
) -> None:
    monkeypatch.setattr(json_array, "PIECE", piece)
    document = {"version": [1, 2], "data": ROWS, "about": {"by": "x"}} if wrapped else ROWS
    rows, rejected = _read(tmp_path / "a.json", json.dumps(document, indent=indent))
    assert ([values for _, values in rows], rejected) == (EXPECTED, [])
    assert column_names(tmp_path / "a.json") == ["text", "n", "more"]


def test_a_line_is_where_the_object_starts(tmp_path: Path) -> None:
    rows, _ = _read(tmp_path / "a.json", '[\n{"n": 1},\n\n{\n"n": 2\n}, {"n": 3}\n]\n')
    assert [line for line, _ in rows] == [2, 4, 6]


def test_lists_by_column(tmp_path: Path) -> None:
    rows, rejected = _read(tmp_path / "a.json", '{"text": ["a", "b"],\n "n": [1, null]}')
    assert (rows, rejected) == ([(1, {"text": "a", "n": "1"}), (1, {"text": "b", "n": None})], [])


def test_json_lines_under_the_wrong_name(tmp_path: Path) -> None:
    rows, rejected = _read(tmp_path / "a.json", '{"n": 1, "of": [{"x": 2}]}\n{broken\n\n{"n": 3}\n')
    assert [line for line, _ in rows] == [1, 4]
    assert rejected == [(2, "broken JSON")]


@pytest.mark.parametrize("piece", [7, 1 << 20])
@pytest.mark.parametrize(
    "content",
    [
        '[{"n": 1}, {"n": oops, "of": [{"n": 7}]}, {"n": 3}]',
        '[\n{"n": 1},\n{"n": "never closed},\n{"n": 3}\n]',
        '[\n  {\n    "n": 1\n  },\n  {\n    "n": 2,\n    "of": [\n      {"n": 7}\n    ]\n  ,\n  {\n    "n": 3\n  }\n]',
        '[{"n": 1}, {"n": "\udcff"}, {"n": 3}]',
        '[{"n": 1}, {"n": "\\ud800"}, {"n": 3}]',
        '[{"n": 1}, {"n": "a\0"}, {"n": 3}]',
        '[{"n": 1}, 2, {"n": 3}]',
        '[{"n": 1}, oops, {"n": 3}]',
        '[{"n": 1}, ' + "[" * 100_000 + "]" * 100_000 + ', {"n": 3}]',
    ],
)
def test_a_broken_object_costs_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, piece: int
) -> None:
    monkeypatch.setattr(json_array, "PIECE", piece)
    rows, rejected = _read(tmp_path / "a.json", content)
    assert ([values for _, values in rows], len(rejected)) == ([{"n": "1"}, {"n": "3"}], 1)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "neither an array nor an object"),
        ('"text"', "neither an array nor an object"),
        ('[{"n": 1}', "line 1: the array does not end"),
        ('[{"n": 1},\n{"n": "cut', "line 2: broken JSON"),
        ('[{"n": "open}, {"n": 2}]', "line 1: broken JSON"),
        ('[{"n": 1}]\n[{"n": 2}]', "line 2: text after the end"),
        ('{"a": [{"n": 1}], "b": [{"n": 2}]}', "two lists of objects"),
        ('{"a": [1, 2], "b": [1]}', "no list of objects"),
        ('{"a": 1}', "no list of objects"),
        ('{"a": ', "ends too early"),
        ('{"a" 1}', "':' is missing"),
    ],
)
def test_a_damaged_document_is_refused_with_its_line(tmp_path: Path, content: str, what: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(DataError, match=what):
        list(read_rows(path))
