import numpy as np
import pytest

from luthier.errors import DataError
from luthier.evaluation.baselines import linear_probe, majority, tfidf

TEXTS = ["a fine film", "so fine and good", "good, fine", "a dull film", "dull and bad", "so bad, dull"]
LABELS = np.array([1, 1, 1, 0, 0, 0])


def test_majority_is_the_most_frequent_training_label() -> None:
    assert majority(np.array([2, 1, 2, 0]), 3).tolist() == [2, 2, 2]
    assert majority(np.array([1, 0, 1, 0]), 2).tolist() == [0, 0]


def test_tfidf_learns_the_words_and_is_deterministic() -> None:
    unseen = ["fine and good", "dull, so bad"]
    assert tfidf(TEXTS, LABELS, unseen).tolist() == [1, 0]
    assert (tfidf(TEXTS, LABELS, unseen) == tfidf(TEXTS, LABELS, unseen)).all()


def test_tfidf_sees_word_pairs() -> None:
    texts = ["not good", "good not bad", "not bad", "bad not good"] * 5
    labels = np.array([0, 1, 1, 0] * 5)
    assert tfidf(texts, labels, texts).tolist() == labels.tolist()


def test_tfidf_takes_texts_without_words() -> None:
    assert tfidf(["!!", "!", "?", "??"], np.array([1, 1, 0, 0]), ["!!!", "? ?"]).tolist() == [1, 0]


def test_the_probe_separates_features_of_any_scale() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 300)
    features = random.normal(size=(300, 8)) * 1e-3
    features[np.arange(300), labels] += 5e-3
    features[:, 7] += 1e4
    found = linear_probe(features[:200], labels[:200], features[200:])
    assert (found == labels[200:]).mean() > 0.95


def test_rows_that_cannot_train_a_baseline_are_refused() -> None:
    with pytest.raises(DataError, match="one label"):
        tfidf(TEXTS, np.zeros(6), TEXTS)
    with pytest.raises(DataError, match="one label"):
        linear_probe(np.ones((3, 2)), np.zeros(3), np.ones((1, 2)))
    with pytest.raises(DataError, match="not finite"):
        linear_probe(np.array([[np.nan], [1.0]]), np.array([0, 1]), np.ones((1, 1)))
    with pytest.raises(DataError, match="no training rows"):
        majority(np.array([]), 3)
