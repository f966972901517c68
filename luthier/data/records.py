"""What reading gives: rows whose values are texts, and records that are none with the reason."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from luthier.errors import DataError

SURROGATE = re.compile("[\ud800-\udfff]")
RESERVED = ("_file", "_line")


@dataclass(frozen=True)
class Row:
    """One record: a text for every column, None where the source has no value.

    ``line`` counts from 1: the physical line where the record starts, or the record's number in Parquet.
    """

    file: str
    line: int
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class Rejection:
    """A record that is no usable row; ``kind`` groups reasons that differ in numbers, ``raw`` is JSON."""

    file: str
    line: int
    kind: str
    reason: str
    raw: str


def as_json(value: object) -> str:
    """JSON that any tool can read: undecodable bytes appear as escapes."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return json.dumps(value, default=str) if SURROGATE.search(text) else text


def unreadable(texts: Iterable[str | None]) -> str | None:
    """Why texts cannot be stored as Unicode, or None."""
    for text in texts:
        if text is not None and SURROGATE.search(text):
            return "undecodable text"
        if text is not None and "\0" in text:
            return "NUL byte"
    return None


def require_usable_names(names: list[str], *, where: str) -> None:
    """Raises a DataError for column names that repeat, cannot be decoded or are taken."""
    if not names:
        raise DataError("no columns", where=where, remedy="the file needs a header with the columns' names")
    if unreadable(names):
        raise DataError("the columns' names are not UTF-8 text", where=where, remedy="save the file as UTF-8")
    repeated = sorted({name for name in names if names.count(name) > 1})
    taken = [name for name in RESERVED if name in names]
    if repeated or taken:
        what = "columns of the same name" if repeated else "a column name that is taken"
        raise DataError(what, where=where, received=repeated or taken, remedy="rename one")
