"""What a fine-tuned classifier has to beat, each trained on the same rows and fully determined by them.

Targets are class ids (rows,), indicators of 0 and 1 (rows x labels) where a row has several, or numbers (rows,).
Outputs are probabilities (rows x labels), or numbers (rows x 1).
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from luthier.errors import DataError
from luthier.models.features import RememberedFeatures
from luthier.tasks.head import Head
from luthier.tasks.task import UNTUNED, BaselineInputs
from luthier.training.compute import fast_bfloat16

log = logging.getLogger(__name__)

# A word, or one mark that is no word: every text that is not blank has at least one.
TOKEN = r"\w+|[^\w\s]"
ITERATIONS = 500
# Ten thousand newsgroup posts have millions of word pairs: more of them cost minutes and gain nothing.
MOST_TERMS = 200_000


def classification_baselines(
    given: BaselineInputs, train_texts: Sequence[str], test_texts: Sequence[str], train_targets: Sequence[Any]
) -> Mapping[str, np.ndarray]:
    """The outputs of each baseline on the test rows, by name."""
    log.info("scoring the baselines")
    head, targets = given.head, np.asarray(train_targets)
    constant = "mean" if head.problem == "regression" else "majority"
    return {
        constant: majority(targets, len(test_texts), head),
        "tf-idf": tfidf(train_texts, targets, test_texts, head),
        UNTUNED: probe_outputs(given, train_texts, test_texts, targets),
    }


def probe_outputs(
    given: BaselineInputs,
    train_texts: Sequence[str],
    test_texts: Sequence[str],
    train_targets: Sequence[Any] | np.ndarray,
) -> np.ndarray:
    """The outputs of ``linear_probe`` on the features of the model that is not tuned yet."""
    remembered = given.features or untuned_features(given.model, given.how.max_length)
    features = remembered.of([*train_texts, *test_texts])
    train, test = features[: len(train_texts)], features[len(train_texts) :]
    return linear_probe(train, np.asarray(train_targets), test, given.head)


def untuned_features(model: Path, max_length: int) -> RememberedFeatures:
    """Features of the model in the folder ``model``, in the arithmetic that is fast here."""
    dtype = torch.bfloat16 if fast_bfloat16("cpu") else torch.float32
    return RememberedFeatures(model, dtype=dtype, max_length=max_length)


def majority(targets: np.ndarray, rows: int, head: Head) -> np.ndarray:
    """How frequent each label is in the training rows, for each of ``rows`` rows; of numbers their mean."""
    if not len(targets):
        raise DataError("there are no training rows", where="baseline")
    columns = targets.reshape(len(targets), -1)
    if head.problem == "single_label_classification":
        columns = np.eye(len(head.labels))[targets]
    return np.tile(columns.mean(axis=0), (rows, 1))


def tfidf(train_texts: Sequence[str], targets: np.ndarray, texts: Sequence[str], head: Head) -> np.ndarray:
    """A linear model on the TF-IDF of words and word pairs, the most frequent 200,000 of them."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=TOKEN, max_features=MOST_TERMS)
    return _linear(vectorizer, list(train_texts), targets, list(texts), head, strength=4.0, solver="newton-cg")


def linear_probe(train_features: np.ndarray, targets: np.ndarray, features: np.ndarray, head: Head) -> np.ndarray:
    """A linear model on frozen features (rows x features): the base without any tuning."""
    for part in (train_features, features):
        if not np.isfinite(part).all():
            raise DataError("a feature is not finite", where=UNTUNED)
    return _linear(StandardScaler(), train_features, targets, features, head, strength=0.01, solver="lbfgs")


def _linear(
    inputs: Any, train: Any, targets: np.ndarray, test: Any, head: Head, *, strength: float, solver: str
) -> np.ndarray:
    """Ridge regression of numbers, logistic regression of classes, one for each label where a row has several."""
    if head.problem == "regression":
        return make_pipeline(inputs, Ridge(alpha=1 / strength)).fit(train, targets).predict(test)[:, None]
    classifier = LogisticRegression(C=strength, solver=solver, max_iter=ITERATIONS)
    if head.problem == "multi_label_classification":
        return make_pipeline(inputs, OneVsRestClassifier(classifier)).fit(train, targets).predict_proba(test)
    if len(found := np.unique(targets)) < 2:
        raise DataError("all training rows have one label", where="baseline", received=head.labels[found[0]])
    outputs = np.zeros((len(test), len(head.labels)))
    outputs[:, found] = make_pipeline(inputs, classifier).fit(train, targets).predict_proba(test)
    return outputs
