"""Test metrics of a classifier with confidence intervals.

``score("accuracy", labels, predictions)`` -> ``Score(value=0.846, low=0.828, high=0.863)``
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn import metrics

from luthier.errors import LuthierError

RESAMPLES = 1000
CELLS_IN_MEMORY = 8_000_000


@dataclass(frozen=True)
class Score:
    """A value and its confidence interval."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.low <= self.value <= self.high):
            raise LuthierError("a score must be finite and lie in its interval", received=self)


POINTS: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": metrics.accuracy_score,
    "f1_macro": lambda labels, predictions: metrics.f1_score(labels, predictions, average="macro", zero_division=0.0),
    "f1_micro": lambda labels, predictions: metrics.f1_score(labels, predictions, average="micro", zero_division=0.0),
    "mcc": metrics.matthews_corrcoef,
}
# With one label a row, micro-averaged F1 is the share of right rows, as accuracy is.
PROPORTIONS = frozenset({"accuracy", "f1_micro"})


def point(metric: str, labels: np.ndarray, predictions: np.ndarray) -> float:
    """The metric's value.

    Matthews' correlation (``mcc``) is 0 when every row gets the same prediction, as scikit-learn defines it.

    Raises:
        LuthierError: an unknown metric, or one that these rows leave undefined.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    _require_defined(metric, labels, predictions)
    return float(POINTS[metric](labels, predictions))


def score(
    metric: str, labels: np.ndarray, predictions: np.ndarray, *, confidence: float = 0.95, seed: int = 17
) -> Score:
    """The metric with its interval: Wilson's for proportions, else the percentile bootstrap over rows.

    Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22, 209-212: unlike
    the normal interval it holds its confidence near 0 and 1. Bootstrap: Efron and Tibshirani (1993), chapter 13.
    Where all rows are right, or all wrong, no resample differs; the interval is then the metric at Wilson's bounds.

    Raises:
        LuthierError: an unknown metric, or one that these rows leave undefined.
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    value = point(metric, labels, predictions)
    right = int((labels == predictions).sum())
    if metric in PROPORTIONS:
        low, high = wilson(right, len(labels), confidence)
    elif right in (0, len(labels)):
        low, high = _unanimous(metric, labels, predictions, confidence)
    else:
        low, high = _bootstrap(metric, labels, predictions, confidence, seed)
    # Rounding, or a skewed statistic of very few rows, can leave the value just outside.
    return Score(value, min(low, value), max(high, value))


def wilson(successes: int, rows: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion, without continuity correction."""
    interval = stats.binomtest(successes, rows).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def _require_defined(metric: str, labels: np.ndarray, predictions: np.ndarray) -> None:
    if metric not in POINTS:
        raise LuthierError("unknown metric", received=metric, remedy=f"one of {', '.join(POINTS)}")
    if labels.ndim != 1 or labels.shape != predictions.shape:
        shapes = (labels.shape, predictions.shape)
        raise LuthierError("labels and predictions must be two rows of equal length", where=metric, received=shapes)
    if not len(labels):
        raise LuthierError("undefined: there are no rows", where=metric)
    for name, values in (("label", labels), ("prediction", predictions)):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise LuthierError(f"undefined: a {name} is not finite", where=metric)
    if metric == "mcc" and (labels == labels[0]).all():
        raise LuthierError(
            "undefined: all rows have one label, and nothing correlates with a constant",
            where=metric,
            received=labels[0].item(),
            remedy="evaluate on rows of at least two labels, or choose accuracy",
        )


def _bootstrap(
    metric: str, labels: np.ndarray, predictions: np.ndarray, confidence: float, seed: int
) -> tuple[float, float]:
    classes, labels, predictions = _coded(labels, predictions)
    of_table = TABLE_STATISTICS[metric]

    def statistic(labels: np.ndarray, predictions: np.ndarray, axis: int = -1) -> np.ndarray:
        return of_table(confusion(labels, predictions, classes))

    result = stats.bootstrap(
        (labels, predictions),
        statistic,
        paired=True,
        n_resamples=RESAMPLES,
        batch=max(1, CELLS_IN_MEMORY // max(len(labels), classes**2)),
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _unanimous(metric: str, labels: np.ndarray, predictions: np.ndarray, confidence: float) -> tuple[float, float]:
    classes, labels, predictions = _coded(labels, predictions)
    table = confusion(labels, predictions, classes).astype(float)
    support = table.sum(axis=1, keepdims=True)
    all_right = bool((labels == predictions).all())
    wrong = support * (1 - np.eye(classes)) / (classes - 1) if all_right else table
    rates = wilson(len(labels) if all_right else 0, len(labels), confidence)
    low, high = (
        float(TABLE_STATISTICS[metric](rate * support * np.eye(classes) + (1 - rate) * wrong)) for rate in rates
    )
    return low, high


def _coded(labels: np.ndarray, predictions: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    names, codes = np.unique(np.concatenate([labels, predictions]), return_inverse=True)
    return max(len(names), 2), codes[: len(labels)], codes[len(labels) :]


def confusion(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Confusion matrices (..., classes, classes), rows true and columns predicted, of codes (..., rows)."""
    cells = (labels * classes + predictions).reshape(-1, labels.shape[-1])
    offsets = np.arange(len(cells))[:, None] * classes**2
    counts = np.bincount((cells + offsets).ravel(), minlength=len(cells) * classes**2)
    return counts.reshape(*labels.shape[:-1], classes, classes)


def _f1_macro_of_table(table: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur, as scikit-learn averages; ``table`` of shape (..., classes, classes)."""
    right = np.diagonal(table, axis1=-2, axis2=-1)
    occurring = table.sum(axis=-1) + table.sum(axis=-2)
    f1 = np.divide(2 * right, occurring, out=np.zeros(occurring.shape), where=occurring > 0)
    return f1.sum(axis=-1) / (occurring > 0).sum(axis=-1)


def _mcc_of_table(table: np.ndarray) -> np.ndarray:
    """Gorodkin's (2004) correlation of K classes; 0 where labels or predictions are constant."""
    table = table.astype(float)
    true, predicted = table.sum(axis=-1), table.sum(axis=-2)
    rows, right = table.sum(axis=(-2, -1)), np.trace(table, axis1=-2, axis2=-1)
    covariance = right * rows - (true * predicted).sum(axis=-1)
    variance = (rows**2 - (true**2).sum(axis=-1)) * (rows**2 - (predicted**2).sum(axis=-1))
    return np.divide(covariance, np.sqrt(variance), out=np.zeros(np.shape(rows)), where=variance > 0)


TABLE_STATISTICS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "f1_macro": _f1_macro_of_table,
    "mcc": _mcc_of_table,
}
