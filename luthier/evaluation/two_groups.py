"""Two groups of rows that one model answered: how far apart their scores are, and whether chance would part them so.

``apart("accuracy", Score(0.70, ...), Score(0.84, ...))`` -> ``Difference(value=-0.14, low=-0.21, high=-0.08)``
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from luthier.evaluation.metrics.statistic import CELLS_IN_MEMORY, Statistic
from luthier.evaluation.scores import ROUNDING, Score
from luthier.tasks.metric import METRICS

# Permutations go on to the next number where fewer than so many of them are as extreme.
PERMUTATIONS, CLEAR = (100, 1_000, 10_000), 10


@dataclass(frozen=True)
class Difference:
    """How much better the first group's score is, whichever way the metric is better, with its interval."""

    value: float
    low: float
    high: float


def apart(metric: str, one: Score, other: Score) -> Difference:
    """The difference of two groups that share no row, its interval made of theirs.

    Zou and Donner (2008), Statistics in Medicine 27, 1693-1702; of two proportions with Wilson's intervals it is the
    tenth method of Newcombe (1998), Statistics in Medicine 17, 873-890.
    """
    better, worse = (one, other) if METRICS[metric].higher_is_better else (other, one)
    value = better.value - worse.value
    return Difference(
        value,
        value - math.hypot(better.value - better.low, worse.high - worse.value),
        value + math.hypot(better.high - better.value, worse.value - worse.low),
    )


def chance_of_worse(metric: str, found: Statistic, inside: np.ndarray, *, seed: int = 17) -> float:
    """One-sided p: how often as many rows, drawn at random, are as much worse than the others as those ``inside``.

    ``found`` is the statistic of all rows, ``inside`` a mask of them. Exact for proportions (Fisher); else by
    permutations, which hold their rate for any metric and any number of rows (Phipson and Smyth 2010, Statistical
    Applications in Genetics and Molecular Biology 9, 39).
    """
    if found.proportion and found.rows is not None:
        right = found.rows > 0
        return float(stats.hypergeom.cdf((right & inside).sum(), len(right), right.sum(), inside.sum()))
    sign = 1 if METRICS[metric].higher_is_better else -1

    def gains(masks: np.ndarray) -> np.ndarray:
        taken = found.unit_draws(masks)
        return sign * (found.of(taken) - found.of(found.times - taken))

    chosen, random = inside.astype(int), np.random.default_rng(seed)
    observed = float(gains(chosen[None])[0])
    limit = observed + ROUNDING * max(1.0, abs(observed))
    extreme = drawn = 0
    for goal in PERMUTATIONS:
        while drawn < goal:
            size = min(max(1, CELLS_IN_MEMORY // len(chosen)), goal - drawn)
            values = gains(random.permuted(np.tile(chosen, (size, 1)), axis=1))
            # A division that leaves the metric undefined says nothing against chance.
            extreme += int((~(values > limit)).sum())
            drawn += size
        if extreme >= CLEAR:
            break
    return (extreme + 1) / (drawn + 1)


def holm(chances: Sequence[float]) -> list[float]:
    """p of each of several tests, such that one false finding among all is as rare as each p says.

    Holm (1979), Scandinavian Journal of Statistics 6, 65-70: it holds however the tests depend on each other.
    """
    order = sorted(range(len(chances)), key=chances.__getitem__)
    adjusted, least = [0.0] * len(chances), 0.0
    for place, index in enumerate(order):
        least = max(least, min(1.0, (len(chances) - place) * chances[index]))
        adjusted[index] = least
    return adjusted
