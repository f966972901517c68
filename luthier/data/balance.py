"""Rare labels: greater weights in the loss, or rows repeated."""

from collections.abc import Mapping

import numpy as np

from luthier.errors import DataError


def class_weights(counts: Mapping[str, int]) -> dict[str, float]:
    """Weights inverse to the labels' training rows, with a mean of 1 over those rows.

    Raises DataError for a label without a row.
    """
    absent = [label for label, count in counts.items() if not count]
    if absent:
        raise DataError(
            "a label without training rows cannot be weighted",
            where="data.balance",
            received=absent,
            remedy="add rows of it, or leave it out of data.labels",
        )
    rows = sum(counts.values())
    return {label: rows / (len(counts) * count) for label, count in counts.items()}


def oversampled(label_ids: np.ndarray, *, keys: np.ndarray) -> np.ndarray:
    """Indices of rows to repeat, so that every label has as many rows as the most frequent one.

    ``keys`` (uint64, digests of the texts) decide which rows of a label are repeated once more than the others, so
    that the order of the rows does not matter.
    """
    by_key = np.argsort(keys, kind="stable")
    labels = label_ids[by_key]
    most = max(np.unique(labels, return_counts=True)[1], default=0)
    members = [by_key[labels == label] for label in np.unique(labels)]
    repeats = [np.resize(rows, most - len(rows)) for rows in members if len(rows) < most]
    return np.concatenate(repeats) if repeats else np.empty(0, dtype=np.int64)
