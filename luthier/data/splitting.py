"""Dividing examples into train, validation and test by seeded digests of their texts.

Which split a text falls into depends on its content, the seed and the other examples, never on the order of rows.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from luthier.data.cleaning import Example
from luthier.errors import DataError

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
EVERY_ROW = ""


@dataclass(frozen=True)
class Shares:
    """The shares of the held-out splits; train is the rest."""

    validation: float
    test: float

    def exact(self, rows: int) -> list[Fraction]:
        """Rows wanted for train, validation and test; decimal shares are taken as written."""
        held_out = [Fraction(str(share)) * rows for share in (self.validation, self.test)]
        return [rows - sum(held_out, Fraction()), *held_out]


def split(
    examples: Sequence[Example], shares: Shares, *, labels: Sequence[str], stratified: bool, seed: int
) -> dict[str, list[Example]]:
    """Train, validation and test, shuffled; sizes are within one row of the shares, per label when stratified.

    A label so rare that a split would lack it gets one row there instead. Raises DataError when even that cannot be.
    """
    groups = _by_label(examples) if stratified else {EVERY_ROW: list(examples)}
    for label in labels if stratified else [EVERY_ROW]:
        _require_enough(label, len(groups.get(label, [])))
    names = sorted(groups)
    sizes = _sizes([len(groups[name]) for name in names], shares)
    divided: dict[str, list[Example]] = {name: [] for name in SPLITS}
    for name, (train, validation, _) in zip(names, sizes, strict=True):
        rows = _shuffled(groups[name], f"split {seed}")
        divided[TRAIN] += rows[:train]
        divided[VALIDATION] += rows[train : train + validation]
        divided[TEST] += rows[train + validation :]
    return {name: _shuffled(rows, f"order {seed}") for name, rows in divided.items()}


def sample(examples: Sequence[Example], size: int, *, seed: int) -> list[Example]:
    """At most ``size`` examples, every label's share kept to within one row."""
    if size >= len(examples):
        return list(examples)
    groups = _by_label(examples)
    names = sorted(groups)
    wanted = [Fraction(size * len(groups[name]), len(examples)) for name in names]
    counts = _rounded(wanted, size)
    return [
        example
        for name, count in zip(names, counts, strict=True)
        for example in _shuffled(groups[name], f"sample {seed}")[:count]
    ]


def _by_label(examples: Sequence[Example]) -> Mapping[str, list[Example]]:
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[example.label].append(example)
    return groups


def _shuffled(examples: Sequence[Example], salt: str) -> list[Example]:
    return sorted(examples, key=lambda example: hashlib.sha256(f"{salt}\0{example.key}".encode()).digest())


def _require_enough(label: str, rows: int) -> None:
    if rows < len(SPLITS):
        which = f" of label {label!r}" if label else ""
        raise DataError(
            f"{rows} rows{which} after cleaning and sampling; train, validation and test need {len(SPLITS)}, one each",
            remedy="add rows, raise data.sample, leave the label out of data.labels, or set data.split.stratify: null",
        )


def _sizes(counts: Sequence[int], shares: Shares) -> list[list[int]]:
    """Rows of each label (rows) for each split (columns): whole numbers around the exact ones, in both sums."""
    exact = [shares.exact(count) for count in counts]
    cells = [[max(1, math.floor(share)) for share in row] for row in exact]
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
