from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from luthier.data.balance import class_weights, oversampled
from luthier.errors import DataError

LABELS = st.lists(st.integers(0, 4), max_size=200)


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 500), min_size=1))
def test_weights_are_the_balanced_ones_and_their_mean_over_the_rows_is_one(counts: dict[str, int]) -> None:
    weights = class_weights(counts)
    assert sum(weights[label] * count for label, count in counts.items()) == pytest.approx(sum(counts.values()))
    rows = [label for label, count in counts.items() for _ in range(count)]
    known = compute_class_weight("balanced", classes=np.array(list(counts)), y=np.array(rows))
    assert list(weights.values()) == pytest.approx(list(known))


def test_a_label_without_rows_is_refused() -> None:
    with pytest.raises(DataError, match=r"without training rows.*\n.*\['b'\]"):
        class_weights({"a": 3, "b": 0})


@given(LABELS, st.integers(0, 5))
def test_every_label_reaches_the_most_frequent_one_and_its_rows_are_repeated_evenly(labels, seed) -> None:
    ids = np.array(labels, dtype=np.int64)
    keys = np.random.default_rng(seed).permutation(len(ids)).astype(np.uint64)
    repeats = oversampled(ids, keys=keys)
    after = Counter([*labels, *ids[repeats].tolist()])
    assert set(after.values()) <= {max(Counter(labels).values(), default=0)}
    times = Counter(repeats.tolist())
    for label in set(labels):
        counts = [times[index] for index in np.flatnonzero(ids == label).tolist()]
        assert max(counts) - min(counts) <= 1


@given(LABELS, st.randoms(use_true_random=False))
def test_the_same_rows_are_repeated_whatever_their_order(labels, chance) -> None:
    ids = np.array(labels, dtype=np.int64)
    keys = np.random.default_rng(1).permutation(len(ids)).astype(np.uint64) + np.uint64(2**63)
    order = np.array(chance.sample(range(len(ids)), len(ids)), dtype=np.int64)
    one, other = (keys[oversampled(ids, keys=keys)], keys[order][oversampled(ids[order], keys=keys[order])])
    assert one.tolist() == other.tolist()


def test_labels_that_are_even_are_left_alone() -> None:
    assert oversampled(np.array([0, 1, 1, 0]), keys=np.arange(4, dtype=np.uint64)).tolist() == []
