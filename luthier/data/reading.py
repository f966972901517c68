"""Rows from files: every value a text as it stands there, every record accounted for."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pyarrow.parquet as pq

from luthier.errors import DataError

DELIMITERS = {".csv": ",", ".tsv": "\t"}
FORMS = (*DELIMITERS, ".jsonl", ".parquet")


@dataclass(frozen=True)
class Row:
    """One record; ``line`` is its physical line, or its number in Parquet, from 1. None is a missing value."""

    line: int
    values: dict[str, str | None]


@dataclass(frozen=True)
class Rejection:
    """A record that could not be used; ``raw`` is its content as far as it could be read."""

    line: int
    reason: str
    raw: str


def read_rows(path: Path) -> Iterator[Row | Rejection]:
    """Every record of a CSV, TSV, JSON Lines (each also ``.gz``) or Parquet file; a bad one is a Rejection."""
    form = _form(path)
    if form == ".parquet":
        yield from _read_parquet(path)
        return
    with _open_text(path) as lines:
        yield from _read_json_lines(lines) if form == ".jsonl" else _read_delimited(lines, DELIMITERS[form], path)


def column_names(path: Path) -> list[str]:
    """The columns, from the header, the schema or the first record."""
    form = _form(path)
    if form == ".parquet":
        return list(pq.read_schema(path).names)
    with _open_text(path) as lines:
        if form == ".jsonl":
            first = next((row for row in _read_json_lines(lines) if isinstance(row, Row)), None)
            return list(first.values) if first else []
        return _header(csv.reader(lines, delimiter=DELIMITERS[form]), path)


def _form(path: Path) -> str:
    suffix = Path(path.stem if path.suffix == ".gz" else path.name).suffix
    if path.is_dir() or suffix not in FORMS:
        remedy = f"one of {', '.join(FORMS)}, or .gz of the text ones"
        raise DataError("not a data file", where=str(path), received=suffix or "no suffix", remedy=remedy)
    return suffix


def _open_text(path: Path) -> TextIO:
    """The file as text; bytes that are no UTF-8 become lone surrogates, which mark their record."""
    binary = gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb")
    return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _header(reader: Any, path: Path) -> list[str]:
    header: list[str] = next(reader, [])
    if not header or not any(header):
        raise DataError("the file is empty: it has no header", where=str(path))
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise DataError("columns have the same name", where=f"{path}:1", received=repeated, remedy="rename one")
    return header


def _read_delimited(lines: TextIO, delimiter: str, path: Path) -> Iterator[Row | Rejection]:
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(lines, delimiter=delimiter)
    header = _header(reader, path)
    line = reader.line_num + 1
    for fields in reader:
        if fields:
            yield _record(line, fields, header)
        line = reader.line_num + 1


def _record(line: int, fields: list[str], header: list[str]) -> Row | Rejection:
    raw = json.dumps([_readable(field) for field in fields], ensure_ascii=False)
    if not all(_is_text(field) for field in fields):
        return Rejection(line, "undecodable text", raw)
    if len(fields) != len(header):
        return Rejection(line, f"{len(fields)} fields where the header has {len(header)}", raw)
    return Row(line, dict(zip(header, fields, strict=True)))


def _read_json_lines(lines: TextIO) -> Iterator[Row | Rejection]:
    for line, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            yield Rejection(line, f"not JSON: {error.msg}", _readable(text.rstrip("\r\n")))
            continue
        if not _is_text(text):
            yield Rejection(line, "undecodable text", _readable(text.rstrip("\r\n")))
        elif not isinstance(values, dict):
            yield Rejection(line, "not a JSON object", text.rstrip("\r\n"))
        else:
            yield Row(line, {name: _as_text(value) for name, value in values.items()})


def _read_parquet(path: Path) -> Iterator[Row]:
    line = 0
    for batch in pq.ParquetFile(path).iter_batches():
        for values in batch.to_pylist():
            line += 1
            yield Row(line, {name: _as_text(value) for name, value in values.items()})


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _is_text(field: str) -> bool:
    return "\x00" not in field and not any("\ud800" <= character <= "\udfff" for character in field)


def _readable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
