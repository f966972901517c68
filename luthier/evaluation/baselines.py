"""What a fine-tuned classifier has to beat, each trained on the same rows and fully determined by them."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from luthier.errors import DataError

# A word, or one mark that is no word: every text that is not blank has at least one.
TOKEN = r"\w+|[^\w\s]"
ITERATIONS = 500
# Ten thousand newsgroup posts have millions of word pairs: more of them cost minutes and gain nothing.
MOST_TERMS = 200_000


def majority(train_labels: np.ndarray, rows: int) -> np.ndarray:
    """The most frequent training label for each of ``rows`` rows; of equally frequent ones the first in order."""
    names, counts = np.unique(_required(train_labels), return_counts=True)
    return np.full(rows, names[counts.argmax()])


def tfidf(train_texts: Sequence[str], train_labels: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Predictions of logistic regression on the TF-IDF of words and word pairs, the most frequent 200,000 of them."""
    _require_two(train_labels, "tf-idf")
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=TOKEN, max_features=MOST_TERMS)
    classifier = make_pipeline(vectorizer, LogisticRegression(C=4.0, solver="newton-cg", max_iter=ITERATIONS))
    return classifier.fit(list(train_texts), np.asarray(train_labels)).predict(list(texts))


def linear_probe(train_features: np.ndarray, train_labels: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Predictions of logistic regression on frozen features (rows x features): the base without any tuning."""
    _require_two(train_labels, "untuned base")
    for part in (train_features, features):
        if not np.isfinite(part).all():
            raise DataError("a feature is not finite", where="untuned base")
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=ITERATIONS))
    return classifier.fit(train_features, np.asarray(train_labels)).predict(features)


def _required(train_labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(train_labels)
    if not len(labels):
        raise DataError("there are no training rows", where="baseline")
    return labels


def _require_two(train_labels: np.ndarray, where: str) -> None:
    if len(names := np.unique(_required(train_labels))) < 2:
        raise DataError("all training rows have one label", where=where, received=names[0].item())
