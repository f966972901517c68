"""Metrics of order: only how values sort matters, so a resample is ranked anew."""

from collections.abc import Callable
from typing import Any

import numpy as np

from luthier.errors import LuthierError, UndefinedMetricError
from luthier.evaluation.metrics.inputs import finite, paired, require_indicators
from luthier.evaluation.metrics.numbers import correlation, require_variation
from luthier.evaluation.metrics.statistic import Statistic, of_rows

OfDraws = Callable[[np.ndarray], np.ndarray]


def spearman(gold: Any, predicted: Any) -> Statistic:
    """Pearson's correlation of ranks, the middle rank for ties; 0 where every row gets the same prediction."""
    gold, predicted = paired(gold, predicted, "spearman")
    require_variation(gold, "spearman")
    gold_ranks, predicted_ranks = _ranks(gold), _ranks(predicted)
    return of_rows(lambda draws: correlation(draws, gold_ranks(draws), predicted_ranks(draws)), len(gold))


def roc_auc(gold: Any, predicted: Any) -> Statistic:
    """How probable it is that a row of a class gets a higher probability of it than a row without; ties count half.

    ``gold`` are class ids (rows,) beside probabilities (rows, classes), or indicators (rows, labels) beside
    probabilities (rows, labels). Of two classes it is that of class 1, of more the mean over classes, each against
    the rest. A resample without rows of some class averages over the others.
    """
    gold, predicted = finite(gold, "label", "roc_auc"), finite(predicted, "prediction", "roc_auc")
    members, scores = _one_against_rest(gold, predicted)
    support = members.sum(axis=0)
    smallest = int(np.minimum(support, len(members) - support).min())
    if smallest == 0:
        raise UndefinedMetricError(
            "undefined: there must be rows of every class, and rows without it",
            where="roc_auc",
            received=support.tolist(),
            remedy="evaluate on rows of every class, or choose f1_macro",
        )
    orders = [ranking(of_class, score) for of_class, score in zip(members.T, scores.T, strict=True)]

    def of(draws: np.ndarray) -> np.ndarray:
        found = np.stack([order(draws)[..., 1] for order in orders])
        defined = np.isfinite(found)
        total = np.where(defined, found, 0.0).sum(axis=0)
        return np.divide(total, defined.sum(axis=0), out=np.full(total.shape, np.nan), where=defined.any(axis=0))

    return of_rows(of, len(members), trials=smallest, strata=gold if gold.ndim == 1 else None)


def _one_against_rest(gold: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Who is of a class (rows x classes, bool), and the probabilities of it."""
    received = (gold.shape, predicted.shape)
    if gold.ndim == 2 and gold.shape == predicted.shape:
        require_indicators(gold, "roc_auc")
        return gold.astype(bool), predicted
    if gold.ndim != 1 or predicted.ndim != 2 or len(gold) != len(predicted) or predicted.shape[1] < 2:
        raise LuthierError("it needs a probability of each class a row", where="roc_auc", received=received)
    classes = np.arange(predicted.shape[1])
    if not np.isin(gold, classes).all():
        raise LuthierError("a label has no probability", where="roc_auc", received=received, remedy="labels as ids")
    members = gold[:, None] == classes
    return (members[:, 1:], predicted[:, 1:]) if len(classes) == 2 else (members, predicted)


def _ranks(values: np.ndarray) -> OfDraws:
    """The ranks of ``values`` among those drawn."""
    by_value, place = _by_value(values), np.unique(values, return_inverse=True)[1]

    def of(draws: np.ndarray) -> np.ndarray:
        counts = by_value(draws)
        return (np.cumsum(counts, axis=-1) - (counts - 1) / 2)[..., place]

    return of


def _by_value(values: np.ndarray) -> OfDraws:
    """Sums numbers (..., rows) over rows of one value: (..., distinct values), the smallest first."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    return lambda draws: np.add.reduceat(draws[..., order], starts, axis=-1)


def ranking(members: np.ndarray, scores: np.ndarray) -> OfDraws:
    """Average precision and the area under the ROC curve (..., 2) of draws (..., rows), NaN for draws of one kind.

    Average precision is the mean of the precisions at each member, without interpolation, as scikit-learn has it.
    """
    by_score, members = _by_value(scores), members.astype(bool)

    def of(draws: np.ndarray) -> np.ndarray:
        drawn, inside = by_score(draws), by_score(draws * members)
        total, true = drawn.sum(axis=-1), inside.sum(axis=-1)
        # What is at least as high as each value, that itself too.
        found, right = (
            every[..., None] - np.cumsum(part, axis=-1) + part for every, part in ((total, drawn), (true, inside))
        )
        gained = (inside * np.divide(right, found, out=np.zeros(found.shape), where=found > 0)).sum(axis=-1)
        won = (inside * (np.cumsum(drawn - inside, axis=-1) - (drawn - inside) / 2)).sum(axis=-1)
        pairs = true * (total - true)
        parts = np.stack([gained * (total - true), won], axis=-1)
        return np.divide(parts, pairs[..., None], out=np.full(parts.shape, np.nan), where=pairs[..., None] > 0)

    return of
