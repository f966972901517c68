"""Metrics of classes: labels (rows,) of one class a row, or indicators (rows, labels) of 0 and 1 for several."""

from typing import Any

import numpy as np
from scipy import sparse

from luthier.errors import LuthierError, UndefinedMetricError
from luthier.evaluation.metrics.inputs import paired, require_indicators
from luthier.evaluation.metrics.statistic import Statistic, f1, mean, of_sums, ratio


def accuracy(gold: Any, predicted: Any) -> Statistic:
    """The share of rows with their label right, with several labels a row all of them."""
    gold, predicted = _classes(gold, predicted, "accuracy")
    return mean((gold == predicted).reshape(len(gold), -1).all(axis=1), proportion=True)


def f1_micro(gold: Any, predicted: Any) -> Statistic:
    """F1 of all labels counted together; with one label a row that is the share of right rows, as accuracy is."""
    gold, predicted = _classes(gold, predicted, "f1_micro")
    if gold.ndim == 1:
        return mean(gold == predicted, proportion=True)
    counts = np.stack([(gold * predicted).sum(axis=1), gold.sum(axis=1), predicted.sum(axis=1)], axis=1)
    return of_sums(lambda sums: f1(*np.moveaxis(sums, -1, 0)), counts)


def f1_macro(gold: Any, predicted: Any) -> Statistic:
    """Mean F1 over the classes that occur, of several labels a row over all labels, as scikit-learn averages."""
    gold, predicted = _classes(gold, predicted, "f1_macro")

    def of(sums: np.ndarray) -> np.ndarray:
        right, true, found = np.split(sums, 3, axis=-1)
        averaged = (true + found > 0).sum(axis=-1) if gold.ndim == 1 else gold.shape[1]
        return f1(right, true, found).sum(axis=-1) / averaged

    return of_sums(of, *_counts(gold, predicted))


def mcc(gold: Any, predicted: Any) -> Statistic:
    """Matthews' correlation of K classes: Gorodkin (2004), "Comparing two K-category assignments".

    0 where every row gets the same prediction, as scikit-learn defines it.
    """
    gold, predicted = _classes(gold, predicted, "mcc")
    if gold.ndim == 2:
        raise LuthierError("it compares one label a row", where="mcc", received=gold.shape, remedy="choose f1_macro")
    if (gold == gold[0]).all():
        raise UndefinedMetricError(
            "undefined: all rows have one label, and nothing correlates with a constant",
            where="mcc",
            received=gold[0].item(),
            remedy="evaluate on rows of at least two labels, or choose accuracy",
        )
    return of_sums(_mcc, *_counts(gold, predicted))


def _mcc(sums: np.ndarray) -> np.ndarray:
    right, true, found = np.split(sums, 3, axis=-1)
    rows = true.sum(axis=-1)
    covariance = right.sum(axis=-1) * rows - (true * found).sum(axis=-1)
    variance = (rows**2 - (true**2).sum(axis=-1)) * (rows**2 - (found**2).sum(axis=-1))
    return ratio(covariance, np.sqrt(variance))


def _classes(gold: Any, predicted: Any, metric: str) -> tuple[np.ndarray, np.ndarray]:
    gold, predicted = paired(gold, predicted, metric, dimensions=(1, 2))
    if gold.ndim == 2:
        require_indicators(gold, metric)
        require_indicators(predicted, metric)
        if not gold.any():
            raise UndefinedMetricError(
                "undefined: no row has a label", where=metric, remedy="evaluate on rows that have some"
            )
    return gold, predicted


def _counts(
    gold: np.ndarray, predicted: np.ndarray
) -> tuple[sparse.csr_array, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Right, true and predicted of each class (units x 3 classes), how many rows each unit stands for, each row's unit.

    Rows of one label are counted by their pair of labels: there are few of those however many rows there are. Their
    true label is their stratum.
    """
    units: np.ndarray | None = None
    strata: np.ndarray | None = None
    if gold.ndim == 1:
        names, codes = np.unique(np.concatenate([gold, predicted]), return_inverse=True)
        pairs, rows, times = np.unique(np.split(codes, 2), axis=1, return_inverse=True, return_counts=True)
        true, found = (_indicators(ids, len(names)) for ids in pairs)
        units, strata = rows.reshape(-1), pairs[0]
    else:
        true, found, times = sparse.csr_array(gold), sparse.csr_array(predicted), np.ones(len(gold), dtype=int)
    return sparse.hstack([true * found, true, found], format="csr", dtype=float), times, units, strata


def _indicators(ids: np.ndarray, classes: int) -> sparse.csr_array:
    rows = len(ids)
    return sparse.csr_array((np.ones(rows), ids, np.arange(rows + 1)), shape=(rows, classes))
