"""Dividing rows into train, validation and test: seeded, stratified, each row in exactly one."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from luthier.errors import DataError

SPLITS = ("train", "validation", "test")


def divide(
    labels: Sequence[str], *, validation: float, test: float, stratified: bool, seed: int
) -> dict[str, list[int]]:
    """Row indices by split, sorted. Shares are rounded per label when stratified, else over all rows.

    Raises:
        DataError: too few rows (of a label) for every split to have one.
    """
    generator = np.random.default_rng(seed)
    groups = _groups(labels) if stratified else {"all rows": list(range(len(labels)))}
    _require_enough(groups, validation=validation, test=test)
    divided: dict[str, list[int]] = {name: [] for name in SPLITS}
    for name in sorted(groups):
        rows = generator.permutation(groups[name]).tolist()
        for_test, for_validation = (max(1, round(len(rows) * share)) for share in (test, validation))
        divided["test"] += rows[:for_test]
        divided["validation"] += rows[for_test : for_test + for_validation]
        divided["train"] += rows[for_test + for_validation :]
    return {name: sorted(rows) for name, rows in divided.items()}


def draw(labels: Sequence[str], size: int, *, seed: int) -> list[int]:
    """At most ``size`` row indices, sorted, with the labels' shares kept to within one row each."""
    if size >= len(labels):
        return list(range(len(labels)))
    generator = np.random.default_rng(seed)
    groups = _groups(labels)
    exact = {name: size * len(rows) / len(labels) for name, rows in groups.items()}
    counts = {name: math.floor(share) for name, share in exact.items()}
    most_short = sorted(groups, key=lambda name: (counts[name] - exact[name], name))
    for name in most_short[: size - sum(counts.values())]:
        counts[name] += 1
    drawn = [generator.permutation(groups[name])[: counts[name]].tolist() for name in sorted(groups)]
    return sorted(row for rows in drawn for row in rows)


def _groups(labels: Sequence[str]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {name: [] for name in Counter(labels)}
    for row, label in enumerate(labels):
        groups[label].append(row)
    return groups


def _require_enough(groups: dict[str, list[int]], *, validation: float, test: float) -> None:
    for name, rows in groups.items():
        held_out = sum(max(1, round(len(rows) * share)) for share in (test, validation))
        if len(rows) <= held_out:
            raise DataError(
                f"too few rows for three splits: {name}",
                received=len(rows),
                remedy=f"at least {held_out + 1} are needed with validation {validation:g} and test {test:g}",
            )
