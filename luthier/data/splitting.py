"""Dividing rows into train, validation and test.

A split is a number, as in SPLITS. What is left to chance follows from the seed and from ``content``, the digests of
the rows' normalised texts, never from the order of rows.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from luthier.data.content import ranks
from luthier.errors import DataError

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Shares:
    """The shares of the held-out splits; train is the rest. A share of 0 asks for no such split."""

    validation: float
    test: float

    def exact(self, rows: int) -> list[Fraction]:
        """Rows wanted for train, validation and test; decimal shares are taken as written."""
        held_out = [Fraction(str(share)) * rows for share in (self.validation, self.test)]
        return [rows - sum(held_out, Fraction()), *held_out]


@dataclass(frozen=True)
class Strata:
    """The label of every row as an index of ``names``, which are sorted."""

    labels: np.ndarray
    names: Sequence[str]


def by_chance(
    content: np.ndarray, units: np.ndarray, shares: Shares, *, seed: int, strata: Strata | None = None
) -> np.ndarray:
    """Splits of rows that may stand anywhere, as long as the rows of a unit stand together.

    With ``strata`` every split keeps the shares of the labels; a unit's label is that of its first row. Where
    all units are single rows, sizes are within one row of the shares, per label. A label so rare that a split would
    lack it gets one unit there instead. Raises DataError when even that cannot be.
    """
    firsts, members, sizes = np.unique(units, return_index=True, return_inverse=True, return_counts=True)[1:]
    chance = np.full(len(firsts), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(chance, members, ranks(content, f"split {seed}"))
    labels = np.zeros(len(firsts), dtype=np.int64) if strata is None else strata.labels[firsts]
    present, stratum = np.unique(labels, return_inverse=True)
    wanted = _sizes(np.bincount(stratum, weights=sizes).astype(int).tolist(), shares)
    splits = np.zeros(len(firsts), dtype=np.int64)
    for number, targets in enumerate(wanted):
        own = np.flatnonzero(stratum == number)
        _require_enough(len(own), shares, "" if strata is None else f" of label {strata.names[present[number]]!r}")
        splits[own] = _fill(sizes[own], chance[own], targets)
    return splits[members]


def by_time(time: np.ndarray, shares: Shares) -> np.ndarray:
    """The newest rows are the test, those before them validation; rows of one time stand together."""
    moments, place = np.unique(time, return_inverse=True)
    _require_enough(len(moments), shares, " of different time")
    train, validation, _ = _sizes([len(time)], shares)[0]
    ordered = np.sort(place)
    first_of_test = max(int(ordered[train + validation]), 2)
    first_of_validation = min(max(int(ordered[train]), 1), first_of_test - 1)
    return np.where(place >= first_of_test, 2, np.where(place >= first_of_validation, 1, 0))


def by_hash(content: np.ndarray, shares: Shares, *, seed: int) -> np.ndarray:
    """Each row by its own content alone, so that rows which are added move none."""
    place = ranks(content, f"hash {seed}").astype(np.float64) / 2.0**64
    return np.where(place < shares.test, 2, np.where(place < shares.test + shares.validation, 1, 0))


def sample(content: np.ndarray, strata: np.ndarray, size: int, *, seed: int) -> np.ndarray:
    """Which rows are among at most ``size``; the share of every value of ``strata`` is kept to within one row."""
    names, counts = np.unique(strata, return_counts=True)
    wanted = _rounded([Fraction(size * int(count), len(content)) for count in counts], min(size, len(content)))
    chosen = np.zeros(len(content), dtype=bool)
    chance = ranks(content, f"sample {seed}")
    for name, count in zip(names, wanted if size < len(content) else counts, strict=True):
        own = np.flatnonzero(strata == name)
        chosen[own[np.argsort(chance[own], kind="stable")][:count]] = True
    return chosen


def _fill(sizes: np.ndarray, chance: np.ndarray, targets: Sequence[int]) -> np.ndarray:
    """A split for every unit: the large ones first, each where most is missing, then single rows to the exact sizes."""
    splits = np.zeros(len(sizes), dtype=np.int64)
    left = list(targets)
    large = np.flatnonzero(sizes > 1)
    for unit in large[np.lexsort((chance[large], -sizes[large]))]:
        splits[unit] = max(range(len(left)), key=lambda split: left[split])
        left[splits[unit]] -= int(sizes[unit])
    single = np.flatnonzero(sizes == 1)
    single = single[np.argsort(chance[single], kind="stable")]
    held_out = [max(0, count) for count in left[1:]]
    counts = [max(0, len(single) - sum(held_out)), *held_out]
    splits[single] = np.repeat(range(len(left)), counts)[: len(single)]
    for split in _empty(splits, targets):
        most = int(np.bincount(splits).argmax())
        own = np.flatnonzero(splits == most)
        splits[own[np.lexsort((chance[own], sizes[own]))][0]] = split
    return splits


def _empty(splits: np.ndarray, targets: Sequence[int]) -> Iterator[int]:
    return (split for split, target in enumerate(targets) if target and not (splits == split).any())


def _require_enough(units: int, shares: Shares, of: str = "") -> None:
    needed = sum(share > 0 for share in shares.exact(1))
    if units < needed:
        raise DataError(
            f"too few rows{of} for {needed} splits, which need one each; duplicates and rows that belong together "
            "count once",
            received=units,
            remedy="add rows, raise data.sample if there is one, or list in data.labels the labels to keep"
            + ("; or name data.validation" if not shares.test else ""),
        )


def _sizes(counts: Sequence[int], shares: Shares) -> list[list[int]]:
    """Rows of each label (rows) for each split (columns): whole numbers around the exact ones, in both sums."""
    exact = [shares.exact(count) for count in counts]
    cells = [[max(int(share > 0), math.floor(share)) for share in row] for row in exact]
    demand = _rounded(shares.exact(sum(counts)), sum(counts))
    demand = [wanted - sum(row[column] for row in cells) for column, wanted in enumerate(demand)]
    for cell, row, count in zip(cells, exact, counts, strict=True):
        while sum(cell) > count:
            cell[cell.index(max(cell))] -= 1
        open_columns = [column for column, share in enumerate(row) if cell[column] <= share]
        open_columns.sort(key=lambda column: (demand[column], row[column] % 1), reverse=True)
        for column in open_columns[: count - sum(cell)]:
            cell[column] += 1
            demand[column] -= 1
    return cells


def _rounded(exact: Sequence[Fraction], total: int) -> list[int]:
    """Whole numbers of that sum, each within one of its exact value: the largest remainders are rounded up."""
    whole = [math.floor(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: whole[index] - exact[index])
    for index in by_remainder[: total - sum(whole)]:
        whole[index] += 1
    return whole
