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
    without it each row is its own.
    """

    of: Callable[[np.ndarray], np.ndarray]
    times: np.ndarray
    trials: int
    rows: np.ndarray | None = None
    proportion: bool = False
    units: np.ndarray | None = None

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


def resamples(times: np.ndarray, number: int, seed: int) -> Iterator[np.ndarray]:
    """As many rows as there are, drawn anew so many times: how often each unit is drawn (resamples, units), in parts.

    ``times`` says how many rows a unit stands for.
    """
    random = np.random.default_rng(seed)
    rows, batch = int(times.sum()), max(1, CELLS_IN_MEMORY // len(times))
    for done in range(0, number, batch):
        yield random.multinomial(rows, times / rows, size=min(batch, number - done))


def of_rows(of: Callable[[np.ndarray], np.ndarray], rows: int, *, trials: int | None = None) -> Statistic:
    """Each row a unit of its own."""
    return Statistic(of, np.ones(rows, dtype=int), rows if trials is None else trials)


def of_sums(
    of: Callable[[np.ndarray], np.ndarray],
    matrix: np.ndarray | sparse.csr_array,
    times: np.ndarray | None = None,
    units: np.ndarray | None = None,
) -> Statistic:
    """A function of the column sums (..., columns) of ``matrix`` (units x columns)."""
    times = np.ones(matrix.shape[0], dtype=int) if times is None else times
    return Statistic(lambda draws: of(draws.astype(float) @ matrix), times, int(times.sum()), units=units)


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
