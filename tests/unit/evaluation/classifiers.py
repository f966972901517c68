"""Rows that a classifier has answered without a model, too sure of itself; and features without one."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import torch

from luthier.evaluation.evaluated import Evaluated
from luthier.models.features import RememberedFeatures
from luthier.tasks.head import Head
from luthier.tasks.task import Predictions
from luthier.tasks.text_classification import TextClassification, texts_of

TOO_SURE = 2.5


def sampled(
    names: tuple[str, ...], rows: int, *, several: bool, seed: int, sure: float = TOO_SURE, text: str = "text"
) -> Evaluated:
    """Labels are drawn from probabilities; the answers' logits are ``sure`` times those of the truth."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, len(names))) * 2 - (2.0 if several else 0.0)
    if several:
        true, said = (1 / (1 + np.exp(-factor * logits)) for factor in (1.0, sure))
        ids: Any = [np.flatnonzero(row).tolist() for row in random.random(true.shape) < true]
        labels: Any = [[names[place] for place in row] for row in ids]
        answers: Any = [[names[place] for place in np.flatnonzero(row >= 0.5)] for row in said]
    else:
        true, said = (softmax(factor * logits) for factor in (1.0, sure))
        ids = [int(random.choice(len(names), p=row)) for row in true]
        labels, answers = [names[place] for place in ids], [names[row.argmax()] for row in said]
    table = pa.table(
        {
            "row": range(1000, 1000 + rows),
            "text": [f"{text} {row}" for row in range(rows)],
            "pair": pa.nulls(rows, pa.string()),
            "label": pa.array(labels, pa.list_(pa.string()) if several else pa.string()),
            "label_id": pa.array(ids, pa.list_(pa.int64()) if several else pa.int64()),
        }
    )
    head = Head("sequence-classification", names, f"{'multi' if several else 'single'}_label_classification")
    predictions = Predictions(answers, list(said.astype(np.float32)))
    return Evaluated(TextClassification(), head, "multi" if several else "single", table, predictions)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def with_features(train: pa.Table, features: np.ndarray) -> RememberedFeatures:
    """Features of training rows that are given instead of those of a model."""
    found = RememberedFeatures(Path("model"), dtype=torch.float32, max_length=16)
    found.known.update(zip(texts_of(train), features, strict=True))
    return found


def planted(names: tuple[str, ...], rows: int, *, share: float = 0.05, seed: int = 0) -> SimpleNamespace:
    """Features in a cloud for each label, with ``share`` of the labels given wrong: ``true``, ``given``, ``wrong``."""
    random = np.random.default_rng(seed)
    true = random.integers(0, len(names), rows)
    features = random.normal(size=(len(names), 32))[true] * 1.5 + random.normal(size=(rows, 32))
    wrong = random.random(rows) < share
    moved = (true + random.integers(1, max(2, len(names)), rows)) % len(names)
    given = np.where(wrong, moved, true)
    table = pa.table(
        {
            "row": np.arange(rows) * 3 + 7,
            "text": [f"{names[label]} text {row}" for row, label in enumerate(true)],
            "pair": pa.nulls(rows, pa.string()),
            "label": [names[label] for label in given],
            "label_id": given,
            "augmentation": pa.nulls(rows, pa.string()),
        }
    )
    return SimpleNamespace(
        true=true, given=given, wrong=wrong, features=features.astype(np.float32), table=cast(Any, table)
    )
