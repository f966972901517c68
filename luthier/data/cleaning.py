"""Cleaning, row by row: a readable text, its label and what else the recipe reads, or the reason why the row goes."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from luthier.data.label_values import Target
from luthier.data.raw import require_columns
from luthier.data.row_content import content_reader
from luthier.data.text import clean_text, key_of
from luthier.data.unusable import Unusable, shown

if TYPE_CHECKING:
    from luthier.recipe.data_section import DataSection

SPLITS = dict.fromkeys(("validation", "valid", "val", "dev"), "validation") | {"train": "train", "test": "test"}


@dataclass(frozen=True)
class CleanRow:
    """A usable row: ``row`` is its index in the raw rows, ``line`` where it stands in ``file``.

    ``key`` is the normalised text with its pair, ``target`` the label by its kind, ``time`` seconds since 1970 UTC or
    the number that the source has, ``pii`` how many pieces of personal data were found, by kind. ``slices`` is a JSON
    object of what the columns that slices are made by say, null where one says nothing; None where there are none.
    """

    row: int
    file: str
    line: int
    text: str
    pair: str | None
    messages: str | None
    key: str
    target: Target
    id: str | None
    group: str | None
    time: float | None
    split: str | None
    pii: Mapping[str, int]
    slices: str | None = None


@dataclass(frozen=True)
class Dropped:
    """A raw row that is not used; ``kind`` groups reasons that differ in a value."""

    row: int
    kind: str
    reason: str


class Cleaner:
    """Cleans the raw rows of one recipe; can be sent to worker processes."""

    def __init__(self, data: "DataSection", columns: Collection[str]):
        """``columns`` are those of the raw rows. Raises DataError for settings that contradict each other."""
        self._columns = data.columns
        self._content = content_reader(data, columns)
        named = (data.columns.id, data.columns.group, data.columns.time, data.columns.split)
        self._read = self._content.columns | {name for name in (*named, *data.columns.slices) if name is not None}
        require_columns(columns, self._read, where="data.columns")
        self._missing = frozenset(data.cleaning.missing)

    @property
    def labels(self) -> list[str]:
        """The names that the recipe lists for labels."""
        return list(self._content.labels)

    def clean(self, index: int, row: Mapping[str, Any]) -> CleanRow | Dropped:
        """One raw row: texts or None by column, and its place in ``_file`` and ``_line``."""
        try:
            return self._cleaned(index, row)
        except Unusable as unusable:
            return Dropped(index, unusable.kind, unusable.reason)

    def _cleaned(self, index: int, row: Mapping[str, Any]) -> CleanRow:
        if self._missing:
            row = {**row, **{name: None for name in self._read if row[name] in self._missing}}
        content = self._content.read(row)
        return CleanRow(
            row=index,
            file=row["_file"],
            line=row["_line"],
            text=content.text,
            pair=content.pair,
            messages=content.messages,
            key=key_of(content.text, content.pair),
            target=content.target,
            id=_name(row, self._columns.id, "missing id"),
            group=_name(row, self._columns.group, "missing group"),
            time=_time(row, self._columns.time),
            split=_split(row, self._columns.split),
            pii=content.pii,
            slices=_slices(row, self._columns.slices),
        )


def _name(row: Mapping[str, Any], column: str | None, missing: str) -> str | None:
    if column is None:
        return None
    name = clean_text(row[column] or "")
    if not name:
        raise Unusable(missing)
    return name


def _time(row: Mapping[str, Any], column: str | None) -> float | None:
    """A number as it is, else an ISO 8601 date or date-time; without an offset it is UTC."""
    if column is None:
        return None
    written = (row[column] or "").strip()
    try:
        time = float(written)
    except ValueError:
        time = _timestamp(written)
    if not math.isfinite(time):
        raise Unusable("time not readable", f"neither an ISO 8601 time nor a number: {shown(written)}")
    return time


def _timestamp(written: str) -> float:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _slices(row: Mapping[str, Any], columns: Sequence[str]) -> str | None:
    if not columns:
        return None
    return json.dumps({name: clean_text(row[name] or "") or None for name in columns}, ensure_ascii=False)


def _split(row: Mapping[str, Any], column: str | None) -> str | None:
    """The split that the recipe gives the row's source, else the one that the row names."""
    given: str | None = row.get("_split")
    if given is not None or column is None:
        return given
    written = (row[column] or "").strip()
    split = SPLITS.get(written.casefold())
    if split is None:
        raise Unusable("split not known", f"not train, validation or test: {shown(written)}")
    return split
