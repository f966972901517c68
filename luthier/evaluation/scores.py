"""Scores with confidence intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn import metrics

RESAMPLES = 1000

METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": metrics.accuracy_score,
    "f1_macro": lambda labels, predictions: metrics.f1_score(labels, predictions, average="macro", zero_division=0.0),
    "mcc": metrics.matthews_corrcoef,
}


@dataclass(frozen=True)
class Score:
    """A point value and the ends of its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def point(metric: str, labels: np.ndarray, predictions: np.ndarray) -> float:
    """One metric over class ids of shape (rows,)."""
    if len(labels) != len(predictions) or not len(labels):
        raise ValueError(f"{len(labels)} labels and {len(predictions)} predictions cannot be compared")
    return float(METRICS[metric](labels, predictions))


def score(
    metric: str, labels: np.ndarray, predictions: np.ndarray, *, confidence: float = 0.95, seed: int = 17
) -> Score:
    """A metric over class ids of shape (rows,) with its interval.

    Accuracy has Wilson's interval (Brown, Cai and DasGupta 2001, "Interval Estimation for a Binomial Proportion"),
    which stays honest at 0 and 1; the others the percentile bootstrap over rows.
    """
    value = point(metric, labels, predictions)
    if metric == "accuracy":
        hits = int((labels == predictions).sum())
        low, high = stats.binomtest(hits, len(labels)).proportion_ci(confidence, method="wilson")
    else:
        resampled = _bootstrap(metric, labels, predictions, seed)
        low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Score(value, min(float(low), value), max(float(high), value))


def _bootstrap(metric: str, labels: np.ndarray, predictions: np.ndarray, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, len(labels), size=(RESAMPLES, len(labels)))
    return np.array([METRICS[metric](labels[rows], predictions[rows]) for rows in drawn])
