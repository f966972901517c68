"""What a fine-tuned model has to beat, on the same rows."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def majority(train_labels: np.ndarray, rows: int) -> np.ndarray:
    """The most frequent training class (the smallest id of several), for every row."""
    return np.full(rows, np.bincount(train_labels).argmax())


def tfidf(train_texts: Sequence[str], train_labels: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Logistic regression on TF-IDF of words and word pairs."""
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=1),
        LogisticRegression(C=10.0, max_iter=1000),
    )
    return model.fit(train_texts, train_labels).predict(texts)


def linear_probe(train_features: np.ndarray, train_labels: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Logistic regression on frozen features (rows x dimensions): what the base knows without tuning."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    return model.fit(train_features, train_labels).predict(features)
