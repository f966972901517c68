"""Metrics of spans: an entity is right where its start, end and label are, as seqeval counts IOB2 tags strictly.

A row: ``[(0, 5, "PER"), (9, 15, "LOC")]`` or ``[{"start": 0, "end": 5, "label": "PER"}, ...]``
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from luthier.errors import UndefinedMetricError
from luthier.evaluation.metrics.statistic import Statistic, f1, of_sums, ratio

Span = tuple[int, int, str] | Mapping[str, Any]


def entity_f1(gold: Sequence[Iterable[Span]], predicted: Sequence[Iterable[Span]]) -> Statistic:
    """F1 of all entities together."""
    return of_sums(lambda sums: f1(*np.moveaxis(sums, -1, 0)), _counts(gold, predicted, "seqeval_f1"))


def entity_precision(gold: Sequence[Iterable[Span]], predicted: Sequence[Iterable[Span]]) -> Statistic:
    """The share of found entities that are right, 0 where none is found."""
    return of_sums(lambda sums: ratio(sums[..., 0], sums[..., 2]), _counts(gold, predicted, "seqeval_precision"))


def entity_recall(gold: Sequence[Iterable[Span]], predicted: Sequence[Iterable[Span]]) -> Statistic:
    """The share of entities that are found."""
    return of_sums(lambda sums: ratio(sums[..., 0], sums[..., 1]), _counts(gold, predicted, "seqeval_recall"))


def _counts(gold: Sequence[Iterable[Span]], predicted: Sequence[Iterable[Span]], metric: str) -> np.ndarray:
    """Right, true and found entities (rows x 3)."""
    rows = [(_entities(true), _entities(found)) for true, found in zip(gold, predicted, strict=True)]
    counts = np.array([(len(true & found), len(true), len(found)) for true, found in rows])
    if not counts[:, 1].any():
        raise UndefinedMetricError(
            "undefined: no row has an entity", where=metric, remedy="evaluate on rows that have some"
        )
    return counts


def _entities(row: Iterable[Span]) -> set[tuple[Any, ...]]:
    return {(s["start"], s["end"], s["label"]) if isinstance(s, Mapping) else tuple(s) for s in row}
