"""Rows from files, the form told by the suffix: every value a text, every record a Row or a Rejection."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from luthier.data.delimited import delimited_columns, read_delimited
from luthier.data.json_lines import json_columns, read_json_lines
from luthier.data.parquet import parquet_columns, read_parquet
from luthier.data.records import Rejection, Row
from luthier.errors import DataError

__all__ = ["Rejection", "Row", "column_names", "read_rows"]

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"


def read_rows(path: Path) -> Iterator[Row | Rejection]:
    """Every record of a CSV, TSV, JSON Lines (plain or .gz) or Parquet file, in order.

    Raises DataError when the file as a whole is none of these, is damaged or has no header.
    """
    form = _form(path)
    if form == PARQUET:
        yield from read_parquet(path)
        return
    with _lines(path, form) as lines:
        if form in JSON_LINES:
            yield from read_json_lines(lines, file=path.name)
        else:
            yield from read_delimited(lines, DELIMITERS[form], file=path.name, where=path.name)


def column_names(path: Path) -> list[str]:
    """The columns: from the header, the schema, or every object of JSON Lines. Raises DataError when there are none."""
    form = _form(path)
    if form == PARQUET:
        return parquet_columns(path)
    with _lines(path, form) as lines:
        if form in JSON_LINES:
            return json_columns(lines, where=path.name)
        return delimited_columns(lines, DELIMITERS[form], where=path.name)


def _form(path: Path) -> str:
    if path.is_dir():
        raise DataError("a folder where a file is needed", where=str(path), remedy="name one file in it")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    form = (suffixes[:-1] if packed else suffixes)[-1:]
    known = [*DELIMITERS, *JSON_LINES, *([] if packed else [PARQUET])]
    if form and form[0] in known:
        return form[0]
    near = get_close_matches(form[0], known, n=1) if form else []
    hint = f"did you mean {near[0]}? " if near else ""
    forms = ", ".join([*DELIMITERS, *JSON_LINES])
    raise DataError("unknown form of data", where=path.name, remedy=f"{hint}use {forms} (also with .gz) or {PARQUET}")


@contextmanager
def _lines(path: Path, form: str) -> Iterator[io.TextIOBase]:
    """The file's lines, undecodable bytes as surrogates; the csv module needs its line ends untouched."""
    newline = "\n" if form in JSON_LINES else ""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline=newline) as lines:
            yield lines
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError("a damaged .gz file", where=path.name, received=str(error)) from None
