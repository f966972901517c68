"""What reading gives: rows whose values are texts, and records that are none with the reason."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from luthier.errors import DataError

SURROGATE = re.compile("[\ud800-\udfff]")
RESERVED = ("_file", "_line", "_split")
ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)


class Row(NamedTuple):
    """One record: a text for every column, None where the source has no value.

    ``line`` counts from 1: the physical line where the record starts, or the record's number in Parquet and Arrow.
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
    text = ENCODER.encode(value)
    return json.dumps(value, default=str) if SURROGATE.search(text) else text


def json_text(value: object) -> str | None:
    """A value as text: texts as they are, what JSON writes for all others, None for null."""
    if value is None or isinstance(value, str):
        return value
    return str(value) if type(value) is int else as_json(value)


def unreadable(texts: Iterable[str | None]) -> str | None:
    """Why texts cannot be stored as Unicode, or None."""
    joined = "".join(filter(None, texts))
    if not joined.isascii() and not _is_unicode(joined):
        return "undecodable text"
    return "NUL byte" if "\0" in joined else None


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


def names_of(records: Iterable[Row | Rejection], *, where: str) -> list[str]:
    """Every name that some row has, in order of appearance. Raises DataError."""
    names = list(dict.fromkeys(name for record in records if isinstance(record, Row) for name in record.values))
    require_usable_names(names, where=where)
    return names


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
