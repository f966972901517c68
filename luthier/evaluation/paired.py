"""Two models on the same rows: how much better one of them is, and whether that may be chance.

``paired_difference("accuracy", (gold, new), (gold, old))`` -> ``PairedDifference(value=0.021, low=0.004, ...)``
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from luthier.errors import LuthierError, UndefinedMetricError
from luthier.evaluation.metrics.statistic import Statistic, resamples
from luthier.evaluation.scores import RESAMPLES, ROUNDING, statistic
from luthier.tasks.metric import METRICS

# Gold and predicted, a row each, as ``luthier.evaluation.scores`` takes them.
Compared = tuple[Any, Any]


@dataclass(frozen=True)
class PairedDifference:
    """How much better the first model is than the second, whichever way the metric is better, with its interval.

    ``p`` is the bootstrap's, two-sided; ``mcnemar_p`` is McNemar's exact one, where rows are right or wrong.
    """

    value: float
    low: float
    high: float
    p: float
    confidence: float
    mcnemar_p: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.low <= self.value <= self.high):
            raise LuthierError("a difference must be finite and lie in its interval", received=self)

    @property
    def is_better(self) -> bool:
        """The interval lies above 0, and McNemar's test agrees where there is one."""
        return self.low > 0 and self._is_confirmed

    @property
    def is_worse(self) -> bool:
        """The interval lies below 0, and McNemar's test agrees where there is one."""
        return self.high < 0 and self._is_confirmed

    def is_within(self, margin: float) -> bool:
        """Whether the interval holds no loss greater than ``margin``, in the unit of the metric."""
        return self.low >= -margin

    @property
    def _is_confirmed(self) -> bool:
        # The bootstrap is too sure of a handful of rows: four that are right now and none that is wrong now suffice it.
        return self.mcnemar_p is None or self.mcnemar_p <= 1 - self.confidence


def paired_difference(
    metric: str, first: Compared, second: Compared, *, confidence: float = 0.95, seed: int = 17
) -> PairedDifference:
    """The difference of a metric between two models, by the percentile bootstrap over the rows that they share.

    Each resample draws the same rows for both: Efron and Tibshirani (1993), chapters 13 and 16.

    Raises:
        LuthierError: the rows leave the metric undefined, or are not the same.
    """
    one, other = statistic(metric, *first), statistic(metric, *second)
    if len(first[0]) != len(second[0]):
        lengths = (len(first[0]), len(second[0]))
        raise LuthierError("two models must have answered the same rows", where=metric, received=lengths)
    if not same_gold(first, second):
        raise LuthierError("two models must be held against the same answers, or the same tokens", where=metric)
    sign = 1 if METRICS[metric].higher_is_better else -1
    value = sign * (one.value - other.value)
    if not math.isfinite(value):
        raise UndefinedMetricError("undefined: the difference is not finite", where=metric, received=value)
    found = _resampled(one, other, len(first[0]), seed) * sign
    found = np.where(np.abs(found) < ROUNDING, 0.0, found)[~np.isnan(found)]
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return PairedDifference(
        value=value,
        # A skewed statistic of few rows can leave the value just outside.
        low=min(float(low), value),
        high=max(float(high), value),
        p=_two_sided(found),
        confidence=confidence,
        mcnemar_p=_mcnemar_of(one, other),
    )


def same_gold(first: Compared, second: Compared) -> bool:
    """Whether two models were judged by the same rows: of perplexity, by the same number of tokens in each."""
    one, other = first[0], second[0]
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else list(one) == list(other)


def mcnemar(gained: int, lost: int) -> float:
    """McNemar's exact p: how probable so uneven a division is, were a changed row as often gained as lost.

    McNemar (1947), Psychometrika 12, 153-157, by the binomial distribution. 1 where no row changed.
    """
    return float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def _mcnemar_of(one: Statistic, other: Statistic) -> float | None:
    if not one.proportion or one.rows is None or other.rows is None:
        return None
    first, second = one.rows > 0, other.rows > 0
    return mcnemar(int((first & ~second).sum()), int((second & ~first).sum()))


def _resampled(one: Statistic, other: Statistic, rows: int, seed: int) -> np.ndarray:
    drawn = resamples(np.ones(rows, dtype=int), one.row_strata, RESAMPLES, seed)
    return np.concatenate([one.of_row_draws(draws) - other.of_row_draws(draws) for draws in drawn])


def _two_sided(found: np.ndarray) -> float:
    """Twice the share of resamples on the side of 0 that fewer are on, the sample itself counted as one of them."""
    fewer = min(int((found <= 0).sum()), int((found >= 0).sum()))
    return min(1.0, 2 * (fewer + 1) / (len(found) + 1))
