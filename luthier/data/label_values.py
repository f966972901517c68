"""What a row's label is, by label_kind: one name, several, a number, spans of the text, or a text to be generated."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from luthier.data.answer_spans import answer_at, answer_spans
from luthier.data.expression import Expression
from luthier.data.spans import Span, spans_of
from luthier.data.tags import OUTSIDE, parted, tagged_spans
from luthier.data.text import clean_text
from luthier.data.unusable import MISSING, Unusable, json_list, missing, shown
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.recipe.data_section import DataSection

MOST_SHOWN = 20
NAMELESS = ("number", "text", "answers")
# Their labels are what one column says, so they are never computed.
OF_ONE_COLUMN = ("multi", "spans", "tags", "answers", "text")

Target = str | float | list[str] | list[Span]


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
        tags = data.label_kind == "tags"
        return cls(tuple(allowed), _renamed(data.label_map or {}, allowed, label, tags=tags))

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.allowed)

    def name(self, written: str) -> str:
        """The name of a label as the source writes it; empty when it is. Raises Unusable."""
        name = clean_text(written)
        return self._allowed(self.renamed.get(name, name))

    def tag(self, written: str) -> tuple[str, str]:
        """The prefix of a tag and the name of its label, both empty for O; a renamed tag is whole. Raises Unusable."""
        tag = clean_text(written)
        whole = self.renamed.get(tag)
        prefix, label = parted(whole or tag)
        name = self._allowed(label) if whole else self.name(label)
        if (not name and (whole or tag) != OUTSIDE) or (not whole and label.isdigit()):
            raise Unusable("tag without a name", f"tag {shown(written)} names no label; data.label_map can do so")
        return prefix, name

    def _allowed(self, name: str) -> str:
        if name and self.allowed and name not in self._known:
            known = ", ".join(map(repr, self.allowed[:MOST_SHOWN]))
            raise Unusable("label not in labels", f"label {shown(name)} is not one of {known}")
        return name


@dataclass(frozen=True)
class Labels:
    """The labels of a recipe's rows; ``start`` is the column with the place of an answer, if the recipe names one."""

    label: Expression
    kind: str
    names: Names
    separator: str
    start: str | None = None

    @classmethod
    def of(cls, data: "DataSection", columns: Collection[str]) -> "Labels":
        """How a recipe's labels are read. Raises DataError for contradictions."""
        if data.columns.label is None:
            raise DataError("data.columns names a text and no label", remedy="name data.columns.label")
        label, kind = Expression.parse(data.columns.label, columns), data.label_kind
        if kind != "single" and label.is_boolean:
            raise _contradiction(f"an expression that is true or false has labels of kind single, not {kind}", label)
        if kind in OF_ONE_COLUMN and not label.is_column:
            raise _contradiction(f"labels of kind {kind} are read from one column", label)
        if kind in NAMELESS and (data.labels or data.label_map):
            raise DataError(f"labels of kind {kind} have no names", remedy="leave out data.labels and data.label_map")
        if kind != "answers" and data.columns.answer_start is not None:
            raise _contradiction(f"data.columns.answer_start means nothing for labels of kind {kind}", label)
        return cls(label, kind, Names.of(data, label), data.label_separator, data.columns.answer_start)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that labels are read from."""
        return self.label.columns | ({self.start} if self.start is not None else frozenset())

    def target(
        self,
        row: Mapping[str, Any],
        text: str,
        readable: Callable[[str], str],
        words: Sequence[tuple[int, int]] = (),
    ) -> Target:
        """The label of a row, by kind.

        ``text`` is what spans and answers lie in and ``words`` are the places in it that tags are of; ``readable``
        cleans a text to be generated. Raises Unusable.
        """
        if self.start is not None:
            (column,) = self.label.columns
            return answer_at(row[column], row[self.start], text)
        value = self._value(row)
        match self.kind:
            case "single":
                return self._name(value) or missing()
            case "number":
                return _number(value)
            case "multi":
                return sorted({name for part in _parts(str(value), self.separator) if (name := self.names.name(part))})
            case "spans":
                return spans_of(str(value), text, self.names.name)
            case "tags":
                return tagged_spans(str(value), words, self.names.tag)
            case "answers":
                return answer_spans(str(value), text)
        return readable(str(value)) or missing()

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


def _renamed(given: Mapping[str, str], allowed: Sequence[str], label: Expression, *, tags: bool) -> dict[str, str]:
    if given and label.is_boolean:
        raise _contradiction("data.label_map renames the values of a column, and this is true or false", label)
    renamed = {clean_text(written): clean_text(name) for written, name in given.items()}
    if len(renamed) != len(given):
        raise DataError("data.label_map has one label twice", received=dict(given), remedy="name each once")
    names = {parted(name)[1] for name in renamed.values()} - {""} if tags else set(renamed.values())
    unknown = sorted(names - set(allowed)) if allowed else []
    if unknown or not all(renamed.values()):
        raise DataError(
            "data.label_map gives names that data.labels lacks",
            received=unknown or [""],
            remedy="add them to data.labels",
        )
    return renamed


def _contradiction(what: str, label: Expression) -> DataError:
    return DataError(what, received=label.text, remedy="change data.columns.label or data.label_kind")


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
    parts = json_list(written, "label not computable")
    if not all(type(part) in (str, int) for part in parts):
        raise Unusable("label not computable", f"labels are no list of texts: {shown(written)}")
    return list(map(str, parts))
