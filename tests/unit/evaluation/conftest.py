from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.evaluating import evaluate
from luthier.evaluation.report import EvaluationReport
from luthier.recipe.schema import EvaluationSection
from tests.unit.evaluation.answered import SAMPLES, classified

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> & $\\frac{1}$ ]]> --> {{ 7 * 7 }}'


def rows_of(names: tuple[str, ...], *, rows: int = 300, texts: str = "a text", seed: int = 0) -> Evaluated:
    random = np.random.default_rng(seed)
    labels = random.integers(0, len(names), rows)
    logits = random.normal(size=(rows, len(names)))
    logits[np.arange(rows), labels] += 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    guessed = np.where(random.random(rows) < 0.5, labels, 0)
    baselines = {"majority": np.zeros(rows, dtype=int), "tf-idf": guessed}
    return classified(names, labels, probabilities, texts=texts, **baselines)


def report_of(test: Evaluated, **changed: Any) -> EvaluationReport:
    asked = {name: changed.pop(name) for name in EvaluationSection.model_fields if name in changed}
    facts = {
        "recipe": "reviews",
        "rows": {"train": 1400, "validation": 300, "test": len(test.rows), "rejected": 2},
        "trainable_parameters": 1234,
        "digests": {"data": "ab" * 32},
        "created": "2026-03-02T10:15:00+00:00",
    }
    return evaluate(test, EvaluationSection(**asked), **{**facts, **changed})


@pytest.fixture
def test_rows() -> Callable[..., Evaluated]:
    return rows_of


@pytest.fixture
def make_rows() -> Callable[..., Evaluated]:
    return classified


@pytest.fixture
def make_report() -> Callable[..., EvaluationReport]:
    return report_of


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> Evaluated:
    """A test split of every other kind of task, with answers that are partly right."""
    return SAMPLES[request.param]()


@pytest.fixture
def hostile() -> str:
    return HOSTILE


@pytest.fixture
def history() -> list[dict[str, float]]:
    entries: list[dict[str, float]] = []
    for step in range(1, 61):
        entries.append({"step": step, "epoch": step / 20, "loss": 0.7 - step / 120, "learning_rate": 1e-3})
        if step % 20 == 0:
            scores = {
                "eval_loss": 0.5,
                "eval_accuracy": 0.7 + step / 1000,
                "eval_f1_macro": 0.7,
                "eval_f1_micro": 0.7,
                "eval_mse": 2.0 - step / 100,
                "eval_pearson": step / 100,
                "eval_seqeval_f1": step / 100,
                "eval_squad_f1": step / 100,
                "eval_perplexity": 80.0 - step,
            }
            entries.append({"step": step, "epoch": step / 20, **scores})
    return entries
