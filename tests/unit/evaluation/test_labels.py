import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from luthier.evaluation.labels import ConfusedPair, confused_pairs, confusion


def test_pairs_are_ranked_by_rows_with_their_share_of_the_true_label() -> None:
    counts = [[8, 2, 0], [1, 7, 2], [0, 0, 5]]
    assert confused_pairs(counts, ("a", "b", "c")) == (
        ConfusedPair("a", "b", 2, of=10),
        ConfusedPair("b", "c", 2, of=10),
        ConfusedPair("b", "a", 1, of=10),
    )
    assert ConfusedPair("a", "b", 2, of=10).share == 0.2


def test_nothing_confused_and_labels_without_rows_have_no_pairs() -> None:
    assert confused_pairs([[3, 0], [0, 0]], ("a", "b")) == ()
    assert confused_pairs((), ()) == ()


def test_every_wrong_row_is_in_one_pair() -> None:
    random = np.random.default_rng(0)
    gold, predicted = random.integers(0, 5, (2, 300))
    counts = confusion(gold, predicted, 5)
    assert (counts == confusion_matrix(gold, predicted)).all()
    pairs = confused_pairs(counts.tolist(), tuple("abcde"))
    assert sum(pair.rows for pair in pairs) == (gold != predicted).sum()
    assert sum(pair.share for pair in pairs if pair.true == "a") == pytest.approx((predicted[gold == 0] != 0).mean())
