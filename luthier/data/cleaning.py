"""Cleaning: readable texts, one label each, every text once; each row that goes is kept with its reason."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.data.expression import Expression
from luthier.data.text import clean_text, normalised
from luthier.errors import DataError

LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Example:
    """A clean row; ``row`` is its index in the raw rows, ``line`` where it stands in the source."""

    row: int
    line: int
    text: str
    label: str
    key: str


@dataclass(frozen=True)
class Dropped:
    """A raw row that is not used; ``kind`` groups reasons that differ in a value or a line."""

    row: int
    kind: str
    reason: str


@dataclass(frozen=True)
class Cleaned:
    """The usable rows in the source's order, the label names by id, and the rest."""

    examples: list[Example]
    labels: list[str]
    dropped: list[Dropped]


def clean(
    rows: Iterable[Mapping[str, Any]], *, text: str, label: Expression, labels: Sequence[str] | None = None
) -> Cleaned:
    """Clean raw rows: values are texts or None, ``_line`` is their line.

    Of rows whose ``normalised`` text is the same the first stays, and none when their labels differ. ``labels`` names
    false and true of a boolean expression, or the values allowed. Raises DataError when nothing, or one label, is left.
    """
    allowed = _allowed(label, labels)
    outcomes = [_example(index, row, text, label, allowed) for index, row in enumerate(rows)]
    examples, repeated = _once([outcome for outcome in outcomes if isinstance(outcome, Example)])
    unusable = [outcome for outcome in outcomes if isinstance(outcome, Dropped)]
    dropped = sorted([*unusable, *repeated], key=lambda drop: drop.row)
    return Cleaned(examples, _names(examples, allowed, dropped, label), dropped)


def _allowed(label: Expression, labels: Sequence[str] | None) -> list[str] | None:
    names = [clean_text(str(name)) for name in labels or ()] or (["false", "true"] if label.is_boolean else None)
    if names and (len(set(names)) != len(names) or not all(names)):
        raise DataError("labels need different names", received=list(labels or ()), remedy="name each once")
    if names and label.is_boolean and len(names) != 2:
        raise DataError(
            f"{label.text!r} is true or false, so it has two labels",
            received=list(labels or ()),
            remedy="give the name for false, then the name for true",
        )
    return names


def _example(
    index: int, row: Mapping[str, Any], column: str, label: Expression, allowed: Sequence[str] | None
) -> Example | Dropped:
    if row[column] is None:
        return Dropped(index, "missing text", "missing text")
    text = clean_text(row[column])
    if not text:
        return Dropped(index, "empty text", "empty text")
    if any(row[name] is None for name in label.columns):
        return Dropped(index, "missing label", "missing label")
    try:
        name = _label(label, row, allowed)
    except DataError as error:
        blank = any(not row[name].strip() for name in label.columns)
        reason = "missing label" if blank else f"label: {error.what}"
        return Dropped(index, "missing label" if blank else "label not computable", reason)
    if not name:
        return Dropped(index, "missing label", "missing label")
    if allowed and name not in allowed:
        shown = name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…"
        reason = f"label {shown!r} is not one of {', '.join(map(repr, allowed[:20]))}"
        return Dropped(index, "label not in labels", reason)
    return Example(index, row["_line"], text, name, normalised(text))


def _label(label: Expression, row: Mapping[str, str], allowed: Sequence[str] | None) -> str:
    value = label.evaluate(row)
    if label.is_boolean:
        assert allowed is not None
        return allowed[int(bool(value))]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return clean_text(str(value))


def _once(found: Collection[Example]) -> tuple[list[Example], list[Dropped]]:
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in found:
        groups[example.key].append(example)
    examples: list[Example] = []
    dropped: list[Dropped] = []
    for first, *others in groups.values():
        if any(other.label != first.label for other in others):
            dropped += [Dropped(one.row, "conflicting labels", "conflicting labels") for one in (first, *others)]
        else:
            examples.append(first)
            dropped += [Dropped(other.row, "duplicate", f"duplicate of line {first.line}") for other in others]
    return examples, dropped


def _names(
    examples: list[Example], allowed: list[str] | None, dropped: Sequence[Dropped], label: Expression
) -> list[str]:
    present = sorted({example.label for example in examples})
    reasons = ", ".join(f"{count} {kind}" for kind, count in Counter(drop.kind for drop in dropped).most_common(5))
    rejected = f"rejected: {reasons or 'none'}"
    if not present:
        raise DataError(f"no row is left after cleaning; {rejected}", remedy="check data.columns and data.labels")
    if len(present) == 1:
        raise DataError(
            f"all {len(examples)} rows have the label {present[0]!r}; {rejected}",
            received=label.text,
            remedy="check data.columns.label and data.labels: there must be two labels at least",
        )
    return allowed or present
