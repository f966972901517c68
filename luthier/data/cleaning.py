"""Cleaning: readable texts with one label each, every other row rejected with its reason."""

import json
import re
import string
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luthier.data.expression import Expression
from luthier.errors import DataError

CONTROL = dict.fromkeys((*range(32), *range(127, 160)), " ")
FOLDED = re.compile(rf"[\s{re.escape(string.punctuation)}]+")


@dataclass(frozen=True)
class Example:
    """A clean row; ``row`` is its index in the raw rows."""

    row: int
    line: int
    text: str
    label: str


@dataclass(frozen=True)
class Rejected:
    """A row that is not used, with the reason and its raw content as JSON."""

    file: str
    line: int
    reason: str
    raw: str


@dataclass(frozen=True)
class Cleaned:
    """The usable rows, the label names in the order of their ids, and the rest."""

    examples: list[Example]
    labels: list[str]
    rejected: list[Rejected]


def clean(rows: Iterable[Mapping[str, Any]], *, text: str, label: str, labels: Sequence[str] | None) -> Cleaned:
    """Cleans raw rows (all values strings or None, with ``_file`` and ``_line``).

    Of rows with the same text after ``normalised`` the first stays; if their labels differ, none does.

    Raises:
        DataError: no usable row, or all of one label.
    """
    expression = Expression.parse(label)
    examples: list[Example] = []
    rejected: list[Rejected] = []
    raws: dict[int, Mapping[str, Any]] = {}
    for index, row in enumerate(rows):
        try:
            found = Example(index, row["_line"], clean_text(row[text]), label_of(expression, row, labels))
        except DataError as error:
            rejected.append(_reject(row, str(error)))
            continue
        examples.append(found)
        raws[index] = row
    kept, dropped = _without_duplicates(examples)
    rejected += [_reject(raws[example.row], reason) for example, reason in dropped]
    names = _label_names(expression, kept, labels)
    return Cleaned(kept, names, rejected)


def clean_text(text: str | None) -> str:
    """Unicode NFC, control characters and runs of white space as one space.

    Raises:
        DataError: nothing is left.
    """
    if text is None:
        raise DataError("missing text")
    cleaned = " ".join(unicodedata.normalize("NFC", text).translate(CONTROL).split())
    if not cleaned:
        raise DataError("empty text")
    return cleaned


def normalised(text: str) -> str:
    """What two texts that only differ in case, punctuation, spacing or compatibility forms have in common."""
    folded = FOLDED.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()
    return folded or text


def label_of(expression: Expression, row: Mapping[str, Any], labels: Sequence[str] | None) -> str:
    """The label name of one row.

    Raises:
        DataError: a value is missing, no number where one is needed, or outside ``labels``.
    """
    if any(row[column] is None or not row[column].strip() for column in expression.columns):
        raise DataError("missing label")
    value = expression.evaluate(row)
    if isinstance(value, bool):
        return (labels or ("false", "true"))[int(value)]
    name = str(value).strip()
    if labels and name not in labels:
        raise DataError(f"label {name!r} is not one of {', '.join(labels)}")
    return name


def _without_duplicates(examples: list[Example]) -> tuple[list[Example], list[tuple[Example, str]]]:
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[normalised(example.text)].append(example)
    kept: list[Example] = []
    dropped: list[tuple[Example, str]] = []
    for first, *others in groups.values():
        if {example.label for example in others} - {first.label}:
            dropped += [(example, "conflicting labels for the same text") for example in (first, *others)]
        else:
            kept.append(first)
            dropped += [(example, f"duplicate of line {first.line}") for example in others]
    return kept, dropped


def _label_names(expression: Expression, examples: list[Example], labels: Sequence[str] | None) -> list[str]:
    present = {example.label for example in examples}
    if not examples:
        raise DataError("no usable row is left after cleaning", remedy="look at rejected.parquet of raw_data")
    if len(present) == 1:
        raise DataError(
            "all rows have the same label",
            received=next(iter(present)),
            remedy=f"check data.columns.label ({expression.text})",
        )
    if labels:
        return list(labels)
    return sorted(present) if expression.is_column else ["false", "true"]


def _reject(row: Mapping[str, Any], reason: str) -> Rejected:
    raw = {name: value for name, value in row.items() if not name.startswith("_")}
    return Rejected(row["_file"], row["_line"], reason.replace("\n", "; "), json.dumps(raw, ensure_ascii=False))
