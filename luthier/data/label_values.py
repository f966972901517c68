"""What a row's label is, by label_kind: one name, several, a number, marked spans, or a text to be generated."""

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict

from luthier.data.expression import Expression
from luthier.data.text import clean_text
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.recipe.data_section import DataSection

LONGEST_SHOWN = 60
MOST_SHOWN = 20
MISSING = "missing label"


class Span(TypedDict):
    """A marked part of a text, in characters; ``end`` is the first after it."""

    start: int
    end: int
    label: str


Target = str | float | list[str] | list[Span]


class Unusable(Exception):
    """A value that makes its row unusable; ``kind`` groups reasons that differ in a value."""

    def __init__(self, kind: str, reason: str | None = None):
        self.kind, self.reason = kind, reason or kind
        super().__init__(self.reason)


@dataclass(frozen=True)
class Names:
    """The names that labels may have: the source's are cleaned, renamed, and looked up in ``allowed``, if any."""

    allowed: tuple[str, ...]
    renamed: Mapping[str, str]

    @classmethod
    def of(cls, data: "DataSection", label: Expression) -> "Names":
        """The names of a recipe. Raises DataError for contradictions."""
        given = list(data.labels or ())
        allowed = [clean_text(name) for name in given] or (["false", "true"] if label.is_boolean else [])
        if len(set(allowed)) != len(allowed) or not all(allowed):
            raise DataError("labels need different names", received=given, remedy="name each once")
        if label.is_boolean and len(allowed) != 2:
            raise DataError(
                f"{label.text!r} is true or false, so it has two labels",
                received=given,
                remedy="give the name for false, then the name for true",
            )
        return cls(tuple(allowed), _renamed(data.label_map or {}, allowed, label))

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.allowed)

    def name(self, written: str) -> str:
        """The name of a label as the source writes it; empty when it is. Raises Unusable."""
        name = clean_text(written)
        name = self.renamed.get(name, name)
        if name and self.allowed and name not in self._known:
            known = ", ".join(map(repr, self.allowed[:MOST_SHOWN]))
            raise Unusable("label not in labels", f"label {shown(name)} is not one of {known}")
        return name


@dataclass(frozen=True)
class Labels:
    """The labels of a recipe's rows."""

    label: Expression
    kind: str
    names: Names
    separator: str

    @classmethod
    def of(cls, data: "DataSection", columns: Collection[str]) -> "Labels":
        """How a recipe's labels are read. Raises DataError for contradictions."""
        label, kind = Expression.parse(data.columns.label, columns), data.label_kind
        if kind != "single" and label.is_boolean:
            raise _contradiction(f"an expression that is true or false has labels of kind single, not {kind}", label)
        if kind in ("multi", "spans", "text") and not label.is_column:
            raise _contradiction(f"labels of kind {kind} are read from one column", label)
        if kind in ("number", "text") and (data.labels or data.label_map):
            raise DataError(f"labels of kind {kind} have no names", remedy="leave out data.labels and data.label_map")
        return cls(label, kind, Names.of(data, label), data.label_separator)

    def target(self, row: Mapping[str, Any], text: str, readable: Callable[[str], str]) -> Target:
        """The label of a row, by kind; ``text`` is what spans lie in, ``readable`` cleans one to be generated.

        Raises Unusable.
        """
        value = self._value(row)
        match self.kind:
            case "single":
                return self._name(value) or _missing()
            case "number":
                return _number(value)
            case "multi":
                return sorted({name for part in _parts(str(value), self.separator) if (name := self.names.name(part))})
            case "spans":
                return self._spans(str(value), text)
        return readable(str(value)) or _missing()

    def _value(self, row: Mapping[str, Any]) -> bool | str | float:
        values = [row[name] for name in self.label.columns]
        if any(value is None for value in values):
            raise Unusable(MISSING)
        try:
            return self.label.evaluate(row)
        except DataError as error:
            if any(not value.strip() for value in values):
                raise Unusable(MISSING) from None
            raise Unusable("label not computable", f"label: {error.what}") from None

    def _name(self, value: bool | str | float) -> str:
        if self.label.is_boolean:
            return self.names.allowed[bool(value)]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return self.names.name(str(value))

    def _spans(self, written: str, text: str) -> list[Span]:
        if not written.strip():
            raise Unusable(MISSING)
        spans = sorted((self._span(entry) for entry in _json_list(written, "broken spans")), key=lambda s: s["start"])
        end = 0
        for span in spans:
            place = f"span {span['start']} to {span['end']}"
            if not 0 <= span["start"] <= len(text) or not 0 <= span["end"] <= len(text):
                raise Unusable("span out of range", f"{place}; the text has {len(text)} characters")
            if span["start"] >= span["end"]:
                raise Unusable("span empty", f"{place} marks no character")
            if span["start"] < end:
                raise Unusable("spans overlap", f"{place} begins before the span ahead of it ends, at {end}")
            end = span["end"]
        return spans

    def _span(self, entry: object) -> Span:
        if isinstance(entry, dict):
            start, end, label = map(entry.get, ("start", "end", "label"))
            # A bool is an int, and no offset.
            if type(start) is int and type(end) is int and isinstance(label, str) and (name := self.names.name(label)):
                return Span(start=start, end=end, label=name)
        raise Unusable("broken spans", f"no span with start, end and label: {shown(entry)}")


def shown(value: object) -> str:
    """A value for people, cut when it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _renamed(given: Mapping[str, str], allowed: Sequence[str], label: Expression) -> dict[str, str]:
    if given and label.is_boolean:
        raise _contradiction("data.label_map renames the values of a column, and this is true or false", label)
    renamed = {clean_text(written): clean_text(name) for written, name in given.items()}
    if len(renamed) != len(given):
        raise DataError("data.label_map has one label twice", received=dict(given), remedy="name each once")
    unknown = sorted(set(renamed.values()) - set(allowed)) if allowed else []
    if unknown or not all(renamed.values()):
        raise DataError(
            "data.label_map gives names that data.labels lacks",
            received=unknown or [""],
            remedy="add them to data.labels",
        )
    return renamed


def _contradiction(what: str, label: Expression) -> DataError:
    return DataError(what, received=label.text, remedy="change data.columns.label or data.label_kind")


def _missing() -> NoReturn:
    raise Unusable(MISSING)


def _number(value: bool | str | float) -> float:
    if isinstance(value, str) and not value.strip():
        raise Unusable(MISSING)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Unusable("label not a number", f"label {shown(value)} is not a number")
    return number


def _parts(written: str, separator: str) -> list[str]:
    if not written.lstrip().startswith("["):
        return written.split(separator)
    parts = _json_list(written, "label not computable")
    if not all(type(part) in (str, int) for part in parts):
        raise Unusable("label not computable", f"labels are no list of texts: {shown(written)}")
    return list(map(str, parts))


def _json_list(written: str, kind: str) -> list[Any]:
    try:
        entries = json.loads(written)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise Unusable(kind, f"no JSON list: {shown(written)}")
    return entries
