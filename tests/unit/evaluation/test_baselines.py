from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from luthier.errors import DataError
from luthier.evaluation.baselines import classification_baselines, linear_probe, majority, tfidf
from luthier.tasks.head import Head
from luthier.tasks.task import BaselineInputs, Inference

CLASSES = Head("sequence-classification", ("bad", "good", "absent"), "single_label_classification")
LABELS = Head("sequence-classification", ("fine", "dull"), "multi_label_classification")
NUMBERS = Head("sequence-classification", (), "regression")
TEXTS = ["a fine film", "so fine and good", "good, fine", "a dull film", "dull and bad", "so bad, dull"]
TARGETS = np.array([1, 1, 1, 0, 0, 0])


def test_majority_is_the_most_frequent_training_label() -> None:
    assert majority(np.array([2, 1, 2, 0]), 3, CLASSES).argmax(axis=1).tolist() == [2, 2, 2]
    assert majority(np.array([1, 0, 1, 0]), 2, CLASSES).argmax(axis=1).tolist() == [0, 0]


def test_the_constant_of_several_labels_is_their_frequency_and_of_numbers_their_mean() -> None:
    assert majority(np.array([[1, 0], [1, 0], [1, 1], [0, 0]]), 2, LABELS).tolist() == [[0.75, 0.25]] * 2
    assert majority(np.array([1.0, 2.0, 6.0]), 2, NUMBERS).tolist() == [[3.0]] * 2


def test_tfidf_learns_the_words_and_is_deterministic() -> None:
    unseen = ["fine and good", "dull, so bad"]
    found = tfidf(TEXTS, TARGETS, unseen, CLASSES)
    assert found.argmax(axis=1).tolist() == [1, 0]
    assert found.shape == (2, 3)
    assert found[:, 2].tolist() == [0, 0]
    assert (tfidf(TEXTS, TARGETS, unseen, CLASSES) == found).all()


def test_tfidf_sees_word_pairs() -> None:
    texts = ["not good", "good not bad", "not bad", "bad not good"] * 5
    labels = np.array([0, 1, 1, 0] * 5)
    assert tfidf(texts, labels, texts, CLASSES).argmax(axis=1).tolist() == labels.tolist()


def test_tfidf_takes_texts_without_words() -> None:
    found = tfidf(["!!", "!", "?", "??"], np.array([1, 1, 0, 0]), ["!!!", "? ?"], CLASSES)
    assert found.argmax(axis=1).tolist() == [1, 0]


def test_tfidf_gives_several_labels_and_numbers() -> None:
    both = np.stack([TARGETS, 1 - TARGETS], axis=1)
    assert (tfidf(TEXTS, both, ["fine", "dull"], LABELS) >= 0.5).tolist() == [[True, False], [False, True]]
    low, high = tfidf(TEXTS, TARGETS * 10.0, ["dull", "fine"], NUMBERS)[:, 0]
    assert low < 5 < high


def test_the_probe_separates_features_of_any_scale() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 300)
    features = random.normal(size=(300, 8)) * 1e-3
    features[np.arange(300), labels] += 5e-3
    features[:, 7] += 1e4
    found = linear_probe(features[:200], labels[:200], features[200:], CLASSES).argmax(axis=1)
    assert (found == labels[200:]).mean() > 0.95


def test_the_likeliest_class_is_the_one_that_the_classifier_predicts() -> None:
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(400, 6)), random.integers(0, 3, 400)
    scaled = (features - features[:300].mean(axis=0)) / features[:300].std(axis=0)
    expected = LogisticRegression(C=0.01, max_iter=500).fit(scaled[:300], labels[:300]).predict(scaled[300:])
    found = linear_probe(features[:300], labels[:300], features[300:], CLASSES)
    assert (found.argmax(axis=1) == expected).all()


def test_rows_that_cannot_train_a_baseline_are_refused() -> None:
    with pytest.raises(DataError, match="one label"):
        tfidf(TEXTS, np.zeros(6, dtype=int), TEXTS, CLASSES)
    with pytest.raises(DataError, match="one label"):
        linear_probe(np.ones((3, 2)), np.zeros(3, dtype=int), np.ones((1, 2)), CLASSES)
    with pytest.raises(DataError, match="not finite"):
        linear_probe(np.array([[np.nan], [1.0]]), np.array([0, 1]), np.ones((1, 1)), CLASSES)
    with pytest.raises(DataError, match="no training rows"):
        majority(np.array([]), 3, CLASSES)


@pytest.mark.parametrize("head", [CLASSES, LABELS, NUMBERS], ids=["classes", "labels", "numbers"])
def test_every_kind_of_label_has_a_constant_words_and_the_untuned_base(head: Head, tiny_bert: Path) -> None:
    rows = pa.table({"text": TEXTS, "pair": pa.nulls(len(TEXTS), pa.string())})
    targets = {CLASSES: TARGETS, LABELS: np.stack([TARGETS, 1 - TARGETS], axis=1), NUMBERS: TARGETS * 10.0}[head]
    given = BaselineInputs(rows, rows, head, tiny_bert, Inference(max_length=16))
    found = classification_baselines(given, TEXTS, TEXTS, targets.tolist())
    assert list(found) == ["mean" if head is NUMBERS else "majority", "tf-idf", "untuned base"]
    assert {outputs.shape for outputs in found.values()} == {(len(TEXTS), len(head.labels) or 1)}
    assert all(np.isfinite(outputs).all() for outputs in found.values())
    assert len(np.unique(found["untuned base"], axis=0)) > 1
