"""Classification label by label: who is taken for whom, precision and recall."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassScores:
    """One label's row of the table; None where a share has no rows to be a share of."""

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True)
class ConfusedPair:
    """So many ``rows`` of one label, ``of`` all that have it, were taken for another."""

    true: str
    predicted: str
    rows: int
    of: int

    @property
    def share(self) -> float:
        """Of all rows of the true label."""
        return self.rows / self.of


def indicators(gold: np.ndarray, classes: int) -> np.ndarray:
    """0 and 1 for each label (rows x classes) from ids (rows,); what is that already stays as it is."""
    return gold if gold.ndim == 2 else np.eye(classes, dtype=int)[gold]


def confusion(gold: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes x classes), true ids as rows."""
    return np.bincount(gold * classes + predicted, minlength=classes**2).reshape(classes, classes)


def confused_pairs(counts: np.ndarray | Sequence[Sequence[int]], labels: Sequence[str]) -> tuple[ConfusedPair, ...]:
    """The pairs of a confusion (classes x classes, true ids as rows), the most frequent first."""
    table = np.asarray(counts).reshape(len(labels), len(labels))
    rows = table.sum(axis=1)
    found = [
        ConfusedPair(labels[true], labels[taken], int(table[true, taken]), int(rows[true]))
        for true, taken in np.argwhere(table)
        if true != taken
    ]
    return tuple(sorted(found, key=lambda pair: (-pair.rows, -pair.share)))


def class_scores(gold: np.ndarray, predicted: np.ndarray, names: Sequence[str]) -> tuple[ClassScores, ...]:
    """Each label's scores from indicators of 0 and 1 (rows x labels)."""
    right, support, found = (gold * predicted).sum(axis=0), gold.sum(axis=0), predicted.sum(axis=0)
    return tuple(
        ClassScores(
            label=name,
            precision=_share(right[label], found[label]),
            recall=_share(right[label], support[label]),
            f1=_share(2 * right[label], support[label] + found[label]),
            support=int(support[label]),
        )
        for label, name in enumerate(names)
    )


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
