"""Test splits of every kind of task, answered partly right without a model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from luthier.evaluation.evaluated import Evaluated
from luthier.tasks.head import Head
from luthier.tasks.question_answering import QuestionAnswering
from luthier.tasks.task import Predictions
from luthier.tasks.text_classification import TextClassification
from luthier.tasks.text_generation import TextGeneration
from luthier.tasks.token_classification import TokenClassification


def _split(texts: list[str], labels: list[Any], pairs: list[str] | None = None, **columns: Any) -> pa.Table:
    pair = pairs or pa.nulls(len(texts), pa.string())
    return pa.table({"row": range(len(texts)), "text": texts, "pair": pair, "label": labels, **columns})


def classified(
    names: tuple[str, ...], labels: np.ndarray, outputs: np.ndarray, *, texts: str = "a text", **baselines: Any
) -> Evaluated:
    """Rows of one label each; baselines are given by their predicted ids."""
    head = Head("sequence-classification", names, "single_label_classification")
    rows = pa.table(
        {
            "row": range(len(labels)),
            "text": [f"{texts} {row}" for row in range(len(labels))],
            "pair": pa.nulls(len(labels), pa.string()),
            "label": [names[label] for label in labels],
            "label_id": labels,
        }
    )

    def answered(outputs: np.ndarray) -> Predictions:
        return Predictions([names[label] for label in outputs.argmax(axis=1)], list(outputs.astype(np.float32)))

    found = {name: answered(np.eye(len(names))[ids]) for name, ids in baselines.items()}
    return Evaluated(TextClassification(), head, "single", rows, answered(outputs), found)


def multi_label() -> Evaluated:
    names = ("warm", "old", "rare")
    ids = [[0], [0, 1], [1], []] * 10
    rows = _split([f"text {row}" for row in range(40)], [[names[i] for i in row] for row in ids], label_id=ids)
    outputs = np.array([[0.9, 0.2, 0.1], [0.8, 0.3, 0.1], [0.1, 0.7, 0.1], [0.6, 0.1, 0.1]] * 10, dtype=np.float32)
    answers = [[names[i] for i in np.flatnonzero(row >= 0.5)] for row in outputs]
    head = Head("sequence-classification", names, "multi_label_classification")
    majority = Predictions([["warm"]] * 40, [np.array([0.5, 0.5, 0.0], dtype=np.float32)] * 40)
    return Evaluated(
        TextClassification(), head, "multi", rows, Predictions(answers, list(outputs)), {"majority": majority}
    )


def regression() -> Evaluated:
    values = np.linspace(0, 5, 40)
    found = (values + np.where(np.arange(40) % 8 == 3, 2.5, 0.1)).astype(np.float32)
    head = Head("sequence-classification", (), "regression")
    rows = _split([f"text {row}" for row in range(40)], values.tolist(), pairs=["beside"] * 40)
    mean = Predictions([2.5] * 40, [np.array([2.5])] * 40)
    answers = Predictions([float(value) for value in found], list(found[:, None]))
    return Evaluated(TextClassification(), head, "number", rows, answers, {"mean": mean})


def tags() -> Evaluated:
    anna, rome = {"start": 0, "end": 4, "label": "PER"}, {"start": 14, "end": 18, "label": "LOC"}
    rows = _split(["Anna lives in Rome today"] * 20, [[anna, rome]] * 20)
    wrong = {**rome, "label": "PER"}
    answers = [[anna, rome]] * 15 + [[anna]] * 3 + [[wrong]] * 2
    head = Head("token-classification", ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"))
    nothing = [np.empty(0, dtype=np.float32)] * 20
    baselines = {"majority per word": Predictions([[anna]] * 20, nothing)}
    return Evaluated(TokenClassification(), head, "spans", rows, Predictions(answers, nothing), baselines)


def questions() -> Evaluated:
    year, within = ({"start": start, "end": 20, "label": "answer"} for start in (16, 13))
    texts, asked = ["It was built in 1889 by Eiffel."] * 20, ["When was it built?"] * 10 + ["Who paid for it?"] * 10
    rows = _split(texts, [[year, within]] * 10 + [[]] * 10, pairs=asked)
    answers = ["1889"] * 8 + ["built in 1889 by"] * 2 + [""] * 9 + ["Eiffel"]
    nothing = [np.empty(0, dtype=np.float32)] * 20
    baselines = {"first sentence": Predictions(texts, nothing)}
    found = Predictions(answers, [np.ones(4, dtype=np.float32)] * 20)
    return Evaluated(QuestionAnswering(), Head("question-answering"), "answers", rows, found, baselines)


def generations() -> Evaluated:
    """Text was generated for 8 of 30 rows; the baseline, an extract, answers all of them."""
    random = np.random.default_rng(0)
    rows = _split([f"user: say {row}" for row in range(30)], [f"this is number {row}" for row in range(30)])
    answers = [f"this is number {row if row % 2 else 0}" if row < 8 else None for row in range(30)]
    likelihoods = [random.uniform(1, 4, size=random.integers(3, 9)).astype(np.float32) for _ in range(30)]
    baselines = {
        "untuned base": Predictions(answers, [row + 1 for row in likelihoods]),
        "lead": Predictions(["this is"] * 30, [np.empty(0, dtype=np.float32)] * 30),
    }
    found = Predictions(answers, likelihoods)
    return Evaluated(TextGeneration(), Head("causal-lm"), "text", rows, found, baselines)


SAMPLES: dict[str, Callable[[], Evaluated]] = {
    "multi-label": multi_label,
    "regression": regression,
    "tags": tags,
    "questions": questions,
    "generations": generations,
}
