"""Test metrics with confidence intervals.

``score("accuracy", labels, predictions)`` -> ``Score(value=0.846, low=0.828, high=0.863)``
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from luthier.errors import LuthierError, UndefinedMetricError
from luthier.evaluation.metrics import STATISTICS
from luthier.evaluation.metrics.statistic import Statistic, resamples
from luthier.tasks.metric import METRICS

RESAMPLES = 1000
# Resamples that differ by less differ by rounding.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Score:
    """A value and its confidence interval."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.low <= self.value <= self.high):
            raise LuthierError("a score must be finite and lie in its interval", received=self)


def point(metric: str, gold: Any, predicted: Any) -> float:
    """The metric's value.

    What is compared, a row each, is said in ``luthier.evaluation.metrics``: classes, indicators of labels, numbers,
    spans, lists of acceptable answers, texts; probabilities for ``roc_auc``, token counts and summed negative
    log-likelihoods for ``perplexity``.

    Raises:
        LuthierError: an unknown metric, or one that these rows leave undefined.
    """
    return _value(metric, statistic(metric, gold, predicted))


def defined_points(
    metrics: Iterable[str], compared: Callable[[str], tuple[Any, Any]], *, required: str | None = None
) -> dict[str, float]:
    """The values of some metrics, each of what ``compared`` gives for it, without those that are undefined.

    Raises:
        UndefinedMetricError: the ``required`` one is.
    """
    found: dict[str, float] = {}
    for metric in metrics:
        try:
            found[metric] = point(metric, *compared(metric))
        except UndefinedMetricError:
            if metric == required:
                raise
    return found


def per_row(metric: str, gold: Any, predicted: Any) -> np.ndarray | None:
    """What the metric is the mean of (rows,), for paired tests; None for a metric that is no mean over rows.

    Raises:
        LuthierError: an unknown metric, or one that these rows leave undefined.
    """
    return statistic(metric, gold, predicted).rows


def score(metric: str, gold: Any, predicted: Any, *, confidence: float = 0.95, seed: int = 17) -> Score:
    """The metric with its interval: Wilson's for proportions, else the percentile bootstrap over rows.

    Metrics over classes are resampled within each true class, whose share the division of rows has fixed.

    Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22, 209-212: unlike
    the normal interval it holds its confidence near 0 and 1. Bootstrap: Efron and Tibshirani (1993), chapter 13.
    Where every row is right, or every row wrong, no resample differs; the interval is then Wilson's.

    Raises:
        LuthierError: an unknown metric, or one that these rows leave undefined.
    """
    found, bounds = statistic(metric, gold, predicted), METRICS[metric]
    _value(metric, found)
    return score_of(found, confidence, bounds=(bounds.low, bounds.high), seed=seed)


def score_of(
    found: Statistic, confidence: float, *, bounds: tuple[float, float] = (0.0, math.inf), seed: int = 17
) -> Score:
    """Any statistic, which lies within ``bounds``, with its interval as ``score`` makes it."""
    value = found.value
    if found.proportion:
        low, high = wilson(round(value * found.trials), found.trials, confidence)
    else:
        low, high = _bootstrap(found, confidence, seed)
        if high - low < ROUNDING:
            low, high = _unanimous(*bounds, value, found.trials, confidence)
    # Rounding, or a skewed statistic of very few rows, can leave the value just outside.
    return Score(value, min(low, value), max(high, value))


def pivoted(found: Statistic, confidence: float, *, least: float, seed: int = 17) -> Score:
    """The same of one that is biased away from ``least``: what resampling adds to it is taken off again.

    The basic bootstrap interval: Davison and Hinkley (1997), section 5.2.
    """
    low, high = _bootstrap(found, confidence, seed)
    value = found.value
    return Score(value, min(value, max(least, 2 * value - high)), max(value, 2 * value - low))


def wilson(successes: int, rows: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion, without continuity correction."""
    interval = stats.binomtest(successes, rows).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def statistic(metric: str, gold: Any, predicted: Any) -> Statistic:
    """The metric of these rows as a function of how often each is drawn. Raises LuthierError as ``point`` does."""
    if metric not in STATISTICS:
        raise LuthierError("unknown metric", received=metric, remedy=f"one of {', '.join(STATISTICS)}")
    if len(gold) != len(predicted):
        lengths = (len(gold), len(predicted))
        raise LuthierError("labels and predictions must be of equal length", where=metric, received=lengths)
    if not len(gold):
        raise LuthierError("undefined: there are no rows", where=metric)
    return STATISTICS[metric](gold, predicted)


def _value(metric: str, found: Statistic) -> float:
    value = found.value
    if not math.isfinite(value):
        raise LuthierError("undefined: the value is not finite", where=metric, received=value)
    return value


def _bootstrap(found: Statistic, confidence: float, seed: int) -> tuple[float, float]:
    values = np.concatenate([found.of(draws) for draws in resamples(found.times, found.strata, RESAMPLES, seed)])
    # Resamples that leave the metric undefined say nothing of it.
    low, high = np.nanquantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _unanimous(least: float, most: float, value: float, trials: int, confidence: float) -> tuple[float, float]:
    """Wilson's bounds on the scale of the metric, for its least and its greatest value; else no interval at all."""
    span = most - least
    for successes, end in ((0, least), (trials, most)):
        if math.isfinite(span) and math.isclose(value, end, abs_tol=ROUNDING):
            low, high = (least + span * bound for bound in wilson(successes, trials, confidence))
            return low, high
    return value, value
