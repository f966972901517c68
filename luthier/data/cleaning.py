"""Cleaning, row by row: a readable text, its label and what else the recipe reads, or the reason why the row goes."""

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from luthier.data.label_values import Labels, Target, Unusable, shown
from luthier.data.pii import masked
from luthier.data.raw import require_columns
from luthier.data.template import Template
from luthier.data.text import clean_in_place, clean_lines, clean_text, normalised, readable
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.recipe.data_section import DataSection

SPLITS = dict.fromkeys(("validation", "valid", "val", "dev"), "validation") | {"train": "train", "test": "test"}


@dataclass(frozen=True)
class CleanRow:
    """A usable row: ``row`` is its index in the raw rows, ``line`` where it stands in ``file``.

    ``key`` is the normalised text, ``target`` the label by its kind, ``time`` seconds since 1970 UTC or the number that
    the source has, ``pii`` how many pieces of personal data were found, by kind.
    """

    row: int
    file: str
    line: int
    text: str
    key: str
    target: Target
    id: str | None
    group: str | None
    time: float | None
    split: str | None
    pii: Mapping[str, int]


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
        self._columns, self._settings = data.columns, data.cleaning
        self._template = Template.parse(data.columns.text)
        self._text_columns = self._template.columns
        self._labels = Labels.of(data, columns)
        named = (data.columns.id, data.columns.group, data.columns.time, data.columns.split)
        self._read = self._text_columns | self._labels.label.columns | {name for name in named if name is not None}
        require_columns(columns, self._read, where="data.columns")
        self._missing = frozenset(data.cleaning.missing)
        self._in_place = data.label_kind == "spans"
        if data.cleaning.min_characters > data.cleaning.max_characters:
            raise DataError(
                "data.cleaning.min_characters is greater than max_characters",
                received=(data.cleaning.min_characters, data.cleaning.max_characters),
                remedy="lower the first",
            )
        if self._in_place and data.cleaning.pii == "mask":
            raise DataError(
                "masks move the characters that spans count",
                received="data.cleaning.pii: mask with data.label_kind: spans",
                remedy="set data.cleaning.pii to count or reject",
            )

    def clean(self, index: int, row: Mapping[str, Any]) -> CleanRow | Dropped:
        """One raw row: texts or None by column, and its place in ``_file`` and ``_line``."""
        try:
            return self._cleaned(index, row)
        except Unusable as unusable:
            return Dropped(index, unusable.kind, unusable.reason)

    def _cleaned(self, index: int, row: Mapping[str, Any]) -> CleanRow:
        if self._missing:
            row = {**row, **{name: None for name in self._read if row[name] in self._missing}}
        text = self._text(row)
        target = self._labels.target(row, text, self._generated)
        text, found = self._without_pii(text)
        if self._labels.kind == "text":
            target, more = self._without_pii(str(target))
            found = Counter(found) + Counter(more)
        return CleanRow(
            row=index,
            file=row["_file"],
            line=row["_line"],
            text=text,
            key=normalised(text),
            target=target,
            id=_name(row, self._columns.id, "missing id"),
            group=_name(row, self._columns.group, "missing group"),
            time=_time(row, self._columns.time),
            split=_split(row, self._columns.split),
            pii=found,
        )

    def _text(self, row: Mapping[str, Any]) -> str:
        raw = self._template.fill(row)
        if raw is None:
            raise Unusable("missing text")
        text = clean_in_place(raw) if self._in_place else self._readable(raw)
        least, most = self._settings.min_characters, self._settings.max_characters
        if not text or not any(row[name] and not row[name].isspace() for name in self._text_columns):
            raise Unusable("empty text")
        if len(text) < least:
            raise Unusable("too short", f"{len(text)} characters, data.cleaning.min_characters is {least}")
        if len(text) > most:
            raise Unusable("too long", f"{len(text)} characters, data.cleaning.max_characters is {most}")
        return text

    def _readable(self, raw: str, *, lines: bool = False) -> str:
        clean = clean_lines if lines else clean_text
        try:
            return readable(raw, repair=self._settings.repair, strip=self._settings.html == "strip", clean=clean)
        except DataError as error:
            raise Unusable("nested markup", error.what) from None

    def _generated(self, raw: str) -> str:
        return self._readable(raw, lines=True)

    def _without_pii(self, text: str) -> tuple[str, dict[str, int]]:
        if self._settings.pii == "off":
            return text, {}
        less, found = masked(text)
        if found and self._settings.pii == "reject":
            raise Unusable("personal data", ", ".join(f"{count} {kind}" for kind, count in sorted(found.items())))
        return less if self._settings.pii == "mask" else text, found


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
