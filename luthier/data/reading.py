"""Rows from files, the form told by the suffix: every value a text, every record a Row or a Rejection."""

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO

from luthier.data.arrow import arrow_columns, read_arrow
from luthier.data.delimited import delimited_columns, read_delimited
from luthier.data.json_array import json_array_columns, read_json_array
from luthier.data.json_lines import json_line_columns, read_json_lines
from luthier.data.orange import orange_columns, read_orange
from luthier.data.parquet import parquet_columns, read_parquet
from luthier.data.plain_text import compiled, read_text, text_columns
from luthier.data.records import Rejection, Row
from luthier.errors import DataError

__all__ = ["Rejection", "Row", "column_names", "read_rows"]


@dataclass(frozen=True)
class _TextForm:
    """How lines become rows; ``newline`` as in ``open``: the csv module needs line ends untouched."""

    rows: Callable[..., Iterator[Row | Rejection]]
    columns: Callable[..., list[str]]
    newline: str = ""


TEXT_FORMS: Final[Mapping[str, _TextForm]] = {
    "csv": _TextForm(partial(read_delimited, delimiter=","), partial(delimited_columns, delimiter=",")),
    "tsv": _TextForm(partial(read_delimited, delimiter="\t"), partial(delimited_columns, delimiter="\t")),
    "json": _TextForm(read_json_array, json_array_columns, "\n"),
    "jsonl": _TextForm(read_json_lines, json_line_columns, "\n"),
    "text": _TextForm(read_text, text_columns),
    "orange": _TextForm(read_orange, orange_columns),
}
TABLE_FORMS: Final = {"parquet": (read_parquet, parquet_columns), "arrow": (read_arrow, arrow_columns)}
FORM_OF: Final = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "text",
    ".tab": "orange",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
UTF_8: Final = "utf-8-sig"
# The mark of UTF-32 starts with that of UTF-16.
MARKS: Final = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_rows(path: Path, form: str | None = None, pattern: str | None = None) -> Iterator[Row | Rejection]:
    """Every record of a file in order; text forms may be packed as .gz.

    ``pattern`` is a regular expression whose named groups are the columns of a line of plain text. Raises DataError
    when the file as a whole is not of the form, is damaged or has no header.
    """
    form = form_of(path, form)
    if form in TABLE_FORMS:
        yield from TABLE_FORMS[form][0](path)
        return
    reader = _text_form(form, pattern)
    with _lines(path, reader.newline) as lines:
        yield from reader.rows(lines, file=path.name)


def column_names(path: Path, form: str | None = None, pattern: str | None = None) -> list[str]:
    """The columns: from the header, the schema, or every object of JSON. Raises DataError when there are none."""
    form = form_of(path, form)
    if form in TABLE_FORMS:
        return TABLE_FORMS[form][1](path)
    reader = _text_form(form, pattern)
    with _lines(path, reader.newline) as lines:
        return reader.columns(lines, file=path.name)


def form_of(path: Path, form: str | None = None) -> str:
    """The form that is given, or that of the suffix. Raises DataError."""
    if path.is_dir():
        raise DataError("a folder where a file is needed", where=str(path), remedy="name one file in it")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    suffix = next(iter((suffixes[:-1] if packed else suffixes)[-1:]), "")
    found = form or FORM_OF.get(suffix)
    if found in TEXT_FORMS or (found in TABLE_FORMS and not packed):
        assert found is not None
        return found
    if found in TABLE_FORMS:
        raise DataError(f"{found} that is packed as .gz", where=path.name, remedy="unpack it")
    names: list[str] = [*TEXT_FORMS, *TABLE_FORMS] if form else list(FORM_OF)
    near = get_close_matches(form or suffix, names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    remedy = f"{hint}use {', '.join(names)}, or say data.format"
    raise DataError("unknown form of data", where=path.name, received=form or suffix, remedy=remedy)


def _text_form(form: str, pattern: str | None) -> _TextForm:
    if pattern is None:
        return TEXT_FORMS[form]
    if form != "text":
        raise DataError(f"a pattern for {form}", received=pattern, remedy="take data.pattern out: it reads plain text")
    columns = compiled(pattern)
    return _TextForm(partial(read_text, pattern=columns), partial(text_columns, pattern=columns))


@contextmanager
def _lines(path: Path, newline: str) -> Iterator[TextIO]:
    """The file's text; bytes that are no UTF-8 become surrogates, UTF-16 and UTF-32 are told by their marks."""
    opener: Any = gzip.open if path.suffix.lower() == ".gz" else open
    encoding = UTF_8
    try:
        with opener(path, "rb") as file:
            start: bytes = file.read(4)
        encoding = next((name for mark, name in MARKS.items() if start.startswith(mark)), UTF_8)
        errors = "surrogateescape" if encoding == UTF_8 else "surrogatepass"
        with opener(path, "rt", encoding=encoding, errors=errors, newline=newline) as lines:
            yield lines
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError("a damaged .gz file", where=path.name, received=str(error)) from None
    except UnicodeDecodeError as error:
        raise DataError(f"damaged {encoding} text", where=path.name, received=str(error)) from None
