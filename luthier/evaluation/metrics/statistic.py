"""A metric of some rows in the form that the bootstrap needs.

A resample is how often each row was drawn. Most metrics are functions of sums over rows, so one matrix product gives
them for many resamples at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

CELLS_IN_MEMORY = 4_000_000


@dataclass(frozen=True)
class Statistic:
    """A metric as a function of draws: ``of`` maps (..., units) to (...), NaN where a resample leaves it undefined.

    A unit is a row, or all rows that are alike: ``times`` says how many. ``rows`` are what the metric is the mean of,
    if it is one, and it is a ``proportion`` where each of them is right or wrong. ``trials`` is how many observations
    stand behind a value that no resample changes. ``units`` has the unit of each row, -1 of a row that says nothing;
    without it each row is its own. ``strata`` has a number for each unit: a resample has as many rows of each as the
    rows have, so that no class of a metric over classes is lost or doubled by chance.
    """

    of: Callable[[np.ndarray], np.ndarray]
    times: np.ndarray
    trials: int
    rows: np.ndarray | None = None
    proportion: bool = False
    units: np.ndarray | None = None
    strata: np.ndarray | None = None

    @property
    def row_strata(self) -> np.ndarray | None:
        """The stratum of each row."""
        return self.strata if self.strata is None or self.units is None else self.strata[self.units]

    @property
    def value(self) -> float:
        """The metric of the rows as they are."""
        return float(self.of(self.times))

    def of_row_draws(self, draws: np.ndarray) -> np.ndarray:
        """The metric (...) of draws of rows (resamples, rows), as two statistics of the same rows have in common."""
        return self.of(self.unit_draws(draws))

    def unit_draws(self, draws: np.ndarray) -> np.ndarray:
        """How often each unit is drawn (resamples, units) where rows are drawn so (resamples, rows)."""
        if self.units is None:
            return draws
        counted = np.flatnonzero(self.units >= 0)
        place = (np.ones(len(counted)), (self.units[counted], counted))
        return (sparse.csr_array(place, shape=(len(self.times), len(self.units))) @ draws.T).T


def resamples(times: np.ndarray, strata: np.ndarray | None, number: int, seed: int) -> Iterator[np.ndarray]:
    """As many rows as there are, drawn anew so many times: how often each unit is drawn (resamples, units), in parts.

    ``times`` says how many rows a unit stands for; of each stratum as many are drawn as it has. Stratified bootstrap:
    Davison and Hinkley (1997), "Bootstrap Methods and their Application", section 3.2.
    """
    random, batch = np.random.default_rng(seed), max(1, CELLS_IN_MEMORY // len(times))
    inside = [slice(None)] if strata is None else [strata == stratum for stratum in np.unique(strata)]
    for done in range(0, number, batch):
        draws = np.empty((min(batch, number - done), len(times)), dtype=int)
        for units in inside:
            rows = times[units].sum()
            draws[:, units] = random.multinomial(rows, times[units] / rows, size=len(draws))
        yield draws


def of_rows(
    of: Callable[[np.ndarray], np.ndarray],
    rows: int,
    *,
    trials: int | None = None,
    strata: np.ndarray | None = None,
) -> Statistic:
    """Each row a unit of its own."""
    return Statistic(of, np.ones(rows, dtype=int), rows if trials is None else trials, strata=strata)


def of_sums(
    of: Callable[[np.ndarray], np.ndarray],
    matrix: np.ndarray | sparse.csr_array,
    times: np.ndarray | None = None,
    units: np.ndarray | None = None,
    strata: np.ndarray | None = None,
) -> Statistic:
    """A function of the column sums (..., columns) of ``matrix`` (units x columns)."""
    times = np.ones(matrix.shape[0], dtype=int) if times is None else times
    return Statistic(
        lambda draws: of(draws.astype(float) @ matrix), times, int(times.sum()), units=units, strata=strata
    )


def mean(rows: npt.ArrayLike, *, proportion: bool = False) -> Statistic:
    """The mean of a number a row."""
    values = np.asarray(rows, dtype=float)
    times = np.ones(len(values), dtype=int)
    return Statistic(lambda draws: draws @ values / draws.sum(axis=-1), times, len(values), values, proportion)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``, and 0 where the whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=float), whole)
    return np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0)


def f1(right: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The harmonic mean of precision and recall from counts; 0 where there is nothing to find and nothing found."""
    return ratio(2 * right, true + predicted)
