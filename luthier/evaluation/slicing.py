"""Which test rows belong together: by length, by label, by source, and by the columns that a recipe names."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from luthier.data.text import joined
from luthier.evaluation.evaluated import Evaluated

RANGES = 4
MOST_VALUES = 20
# A column of numbers with no more of them than this has a slice for each.
FEW_NUMBERS = 10
NO_VALUE = "(no value)"
# Texts of fewer words than this for their characters are written without spaces.
CHARACTERS_OF_WORD = 20


@dataclass(frozen=True)
class Part:
    """A slice: ``inside`` is a mask of the rows, ``metric`` what it is measured by."""

    by: str
    name: str
    inside: np.ndarray
    metric: str


def parts(test: Evaluated, metric: str) -> list[Part]:
    """Every slice of the rows; what all rows have in common parts nothing and is left out."""
    families = [
        _by_length(test, metric),
        _by_label(test, metric),
        _by_source(test, metric),
        *(_by_column(name, values, metric) for name, values in _columns(test).items()),
    ]
    return [part for family in families if len(family) > 1 for part in family]


def _by_length(test: Evaluated, metric: str) -> list[Part]:
    pairs = zip(test.rows["text"].to_pylist(), test.rows["pair"].to_pylist(), strict=True)
    texts = [joined(text, pair) for text, pair in pairs]
    words, characters = np.array([len(text.split()) for text in texts]), np.array(list(map(len, texts)))
    spaced = words.sum() * CHARACTERS_OF_WORD >= characters.sum()
    unit, lengths = ("words", words) if spaced else ("characters", characters)
    return [Part(f"length in {unit}", *each, metric) for each in _ranges(lengths.astype(float))]


def _by_label(test: Evaluated, metric: str) -> list[Part]:
    """A metric that rows of one label leave undefined, or make easy, is replaced by one that they do not.

    Of one label a row the share of right rows, which is then the label's recall; of several labels micro F1; of
    numbers, whose correlation is weak in any narrow range, the squared error.
    """
    labels = test.rows["label"].to_pylist()
    if test.head.problem == "regression":
        return [Part("label", *each, "mse") for each in _ranges(np.array(labels, dtype=float))]
    if test.head.problem == "single_label_classification":
        measured = metric if metric in ("accuracy", "f1_micro") else "accuracy"
        return [Part("label", n, np.array([label == n for label in labels]), measured) for n in _present(test, labels)]
    if test.head.problem == "multi_label_classification":
        measured = metric if metric in ("accuracy", "f1_micro") else "f1_micro"
        return [Part("label", n, np.array([n in each for each in labels]), measured) for n in test.head.labels]
    if test.head.kind == "token-classification":
        kinds = [{span["label"] for span in spans} for spans in labels]
        names = sorted(set().union(*kinds))
        return [Part("label", n, np.array([n in each for each in kinds]), metric) for n in names]
    if test.head.kind == "question-answering":
        has = np.array([bool(spans) for spans in labels])
        return [Part("label", *each, metric) for each in (("has an answer", has), ("no answer", ~has)) if each[1].any()]
    return []


def _present(test: Evaluated, labels: Sequence[str]) -> Iterator[str]:
    given = set(labels)
    return (name for name in test.head.labels if name in given)


def _by_source(test: Evaluated, metric: str) -> list[Part]:
    if "file" not in test.rows.column_names:
        return []
    return [Part("source", *each, metric) for each in _values(test.rows["file"].to_pylist())]


def _columns(test: Evaluated) -> dict[str, list[str | None]]:
    """What each column of ``data.columns.slices`` says in each row."""
    if "slices" not in test.rows.column_names:
        return {}
    rows = [json.loads(said) if said else {} for said in test.rows["slices"].to_pylist()]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _by_column(column: str, values: Sequence[str | None], metric: str) -> list[Part]:
    numbers = np.array([_number(value) for value in values])
    given = [value for value in values if value is not None]
    if len(set(given)) <= FEW_NUMBERS or np.isfinite(numbers).sum() < len(given):
        found = _values(values)
    else:
        missing = ~np.isfinite(numbers)
        found = [*_ranges(numbers), *([(NO_VALUE, missing)] if missing.any() else [])]
    return [Part(f"column {column}", *each, metric) for each in found]


def _values(values: Sequence[str | None]) -> list[tuple[str, np.ndarray]]:
    """The most frequent values, the others together, and the rows without one."""
    ranked = sorted(Counter(v for v in values if v is not None).items(), key=lambda item: (-item[1], item[0]))
    named = [value for value, _ in ranked[:MOST_VALUES]]
    others = {value for value, _ in ranked[MOST_VALUES:]}
    found = [(name, np.array([value == name for value in values])) for name in named]
    if others:
        found.append((f"({len(others):,} other values)", np.array([value in others for value in values])))
    if None in values:
        found.append((NO_VALUE, np.array([value is None for value in values])))
    return found


def _ranges(values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Quarters of the finite values; those of one value are in one range, so there may be fewer."""
    given = np.isfinite(values)
    if not given.any():
        return []
    edges = np.quantile(values[given], np.arange(1, RANGES) / RANGES)
    codes = np.searchsorted(edges, values, side="left")
    found = []
    for code in range(RANGES):
        inside = given & (codes == code)
        if inside.any():
            low, high = values[inside].min(), values[inside].max()
            found.append((_shown(low) if low == high else f"{_shown(low)} to {_shown(high)}", inside))
    return found


def _shown(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def _number(value: str | None) -> float:
    try:
        number = float(value or "")
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan
