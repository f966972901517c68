from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from luthier.comparison.comparison import MethodComparison, MethodResult, SeedResult
from luthier.evaluation.scores import Score

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> & | ]]> --> {{ 7 * 7 }}'
PARAMETERS = 22_700_000
COMPUTE = {"device": "cpu", "frozen_dtype": "float32", "autocast": False, "attention": "eager", "threads": 2}
# Trained parameters, peak memory in MB, scores of the seeds.
NINE: Mapping[str, tuple[int, int, Sequence[float]]] = {
    "full": (22_713_986, 1490, (0.8515, 0.849, 0.853)),
    "lora": (222_338, 905, (0.8465, 0.8505, 0.848)),
    "qlora": (222_338, 842, (0.8445, 0.846, 0.843)),
    "bottleneck": (743_042, 918, (0.852, 0.8475, 0.8495)),
    "prefix": (194_690, 893, (0.811, 0.803, 0.818)),
    "prompt": (156_290, 948, (0.734, 0.712, 0.751)),
    "bitfit": (188_162, 861, (0.8335, 0.8355, 0.831)),
    "ia3": (163_970, 878, (0.829, 0.8275, 0.8335)),
    "ptuning": (461_186, 951, (0.752, 0.769, 0.741)),
}


def seed_result(seed: int, value: float, **changed: Any) -> SeedResult:
    values = {
        "seed": seed,
        "score": Score(value, value - 0.02, value + 0.018),
        "scored_rows": 1061,
        "parameters": PARAMETERS,
        "trainable_parameters": 222_338,
        "peak_memory": 900_000_000,
        "rows_per_second": 131.0,
        "training_seconds": 195.0,
        "inference_seconds": 2.4,
        "file_bytes": 1_240_000,
        "epochs": 3.0,
        "diagnosis": "healthy",
        "compute": COMPUTE,
        "processor": "a processor",
        "digest": "ef" * 32,
    }
    return SeedResult(**{**values, **changed})


def method_result(kind: str, scores: Sequence[float] = (0.85,), **changed: Any) -> MethodResult:
    """A method that was scored; keyword arguments are those of its trainings."""
    training = {"learning_rate": 5e-5 if kind == "full" else 1e-3, "epochs": 3.0, "batch_size": 32}
    seeds = tuple(seed_result(17 + place, value, **changed) for place, value in enumerate(scores))
    return MethodResult(kind, {"kind": kind, "r": 8}, training, seeds)


def comparison_of(*methods: MethodResult, **changed: Any) -> MethodComparison:
    values = {
        "recipe": "reviews",
        "task": "text-classification",
        "own": "lora",
        "metric": "accuracy",
        "confidence": 0.95,
        "family": "bert",
        "architecture": "encoder",
        "seeds": (17, 18, 19),
        "rows": {"train": 8492, "validation": 1061},
        "methods": methods,
        "left_out": {},
        "digests": {"cleaned_splits": "ab" * 32, "base_model": "cd" * 32},
        "versions": {"torch": "2.13.0", "transformers": "5.23.0"},
        "created": "2026-03-02T10:15:00+00:00",
    }
    return MethodComparison(**{**values, **changed})


@pytest.fixture
def nine() -> Callable[..., MethodComparison]:
    """A comparison of nine methods; keyword arguments are fields of it."""

    def make(**changed: Any) -> MethodComparison:
        methods = [
            method_result(kind, scores, trainable_parameters=trained, peak_memory=memory * 1_000_000)
            for kind, (trained, memory, scores) in NINE.items()
        ]
        return comparison_of(*methods, **changed)

    return make


@pytest.fixture
def hostile() -> str:
    return HOSTILE
