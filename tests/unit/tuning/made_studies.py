"""Studies as they come out of a search, made from a formula: known scores, no training."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from luthier.tuning.result import StudyResult, TrialResult
from luthier.tuning.space import Dimension

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> & | ]]> --> {{ 7 * 7 }}'
RATE = Dimension("training.learning_rate", low=1e-5, high=1e-2, log=True)
RANK = Dimension("method.r", choices=(4, 8, 16, 32))
FIVE = (
    RATE,
    RANK,
    Dimension("method.use_dora", choices=(True, False)),
    Dimension("method.target_modules", choices=("auto", "all-linear")),
    Dimension("training.warmup", low=0.0, high=0.2, when={"method.target_modules": ("all-linear",)}),
)
STEPS = 120


def trial_result(number: int, score: float | None = 0.8, **changed: Any) -> TrialResult:
    """A complete trial, of the sampler, unless said otherwise."""
    values = {
        "number": number,
        "state": "complete" if score is not None else "failed",
        "values": {"training.learning_rate": 1e-3},
        "score": score,
        "curve": () if score is None else ((40, score - 0.05), (80, score), (120, score - 0.01)),
        "steps": STEPS,
        "max_steps": STEPS,
        "seconds": 12.5,
        "origin": "the sampler",
        "diagnosis": "fit",
        "failure": None if score is not None else "it broke",
    }
    return TrialResult(**{**values, **changed})


def study_of(*trials: TrialResult, **changed: Any) -> StudyResult:
    """A study of accuracy over the learning rate."""
    values = {
        "recipe": "reviews",
        "study": "reviews-1-abcdef",
        "round": 1,
        "method": "lora",
        "metric": "accuracy",
        "higher_is_better": True,
        "sampler": "tpe",
        "pruner": "successive_halving",
        "space": (RATE,),
        "revisions": (),
        "trials": trials,
        "importances": {},
        "seconds": 754.0,
        "ended": "12 trials are done",
        "digests": {"cleaned_splits": "ab" * 32, "base_model": "cd" * 32},
        "created": "2026-03-02T10:15:00+00:00",
    }
    return StudyResult(**{**values, **changed})


def searched(trials: int, space: Sequence[Dimension] = FIVE, *, seed: int = 1, **changed: Any) -> StudyResult:
    """A study with every kind of trial; its first has the recipe's own values, the second the champion's."""
    generator = random.Random(seed)
    found = [_trial(number, space, generator) for number in range(trials)]
    fields = [dimension.field for dimension in space]
    shares = [0.6**place for place, _ in enumerate(fields)]
    importances = {field: share / sum(shares) for field, share in zip(fields, shares, strict=True)}
    return study_of(*found, **{"space": tuple(space), "importances": importances if trials > 3 else {}, **changed})


def _trial(number: int, space: Sequence[Dimension], generator: random.Random) -> TrialResult:
    values: dict[str, Any] = {}
    for dimension in space:
        if all(values.get(other) in allowed for other, allowed in dimension.when.items()):
            values[dimension.field] = _value(dimension, generator)
    rate = values.get("training.learning_rate", 1e-3)
    end = 0.86 - 0.03 * (math.log10(rate) + 3) ** 2 - 0.01 * generator.random()
    curve = tuple(
        (step, round(end - 0.25 * math.exp(-step / 25) + generator.gauss(0, 0.004), 5)) for step in range(10, 121, 10)
    )
    origin = {0: "the recipe", 1: "the champion"}.get(number, "the sampler")
    if number and number % 7 == 5:
        failure = "training.batch_size: it ran out of memory\nremedy: a smaller batch"
        return trial_result(number, None, values=values, steps=3, origin=origin, diagnosis=None, failure=failure)
    pruned = number > 2 and generator.random() < 0.5
    kept = curve[: generator.randint(2, 6)] if pruned else curve
    return trial_result(
        number,
        max(score for _, score in kept),
        state="pruned" if pruned else "complete",
        values=values,
        curve=kept,
        steps=kept[-1][0],
        seconds=0.4 * kept[-1][0],
        origin=origin,
        diagnosis=None if pruned else "fit",
    )


def _value(dimension: Dimension, generator: random.Random) -> Any:
    if not dimension.is_range:
        return generator.choice(dimension.choices)
    low, high = dimension.low or 0.0, dimension.high or 0.0
    value = (
        math.exp(generator.uniform(math.log(low), math.log(high))) if dimension.log else generator.uniform(low, high)
    )
    return round(value) if dimension.integer else value


def lower_is_better(result: StudyResult, factor: float = 1.0) -> StudyResult:
    """The same study by perplexity: e to the power of what is missing to 1."""

    def turned(score: float) -> float:
        return math.exp(factor * 20 * (1 - score)) / 2

    trials = tuple(
        replace(
            trial,
            score=None if trial.score is None else turned(trial.score),
            curve=tuple((step, turned(score)) for step, score in trial.curve),
        )
        for trial in result.trials
    )
    return replace(result, metric="perplexity", higher_is_better=False, trials=trials)


ODD: dict[str, Callable[[], StudyResult]] = {
    "12 trials of 5 fields": lambda: searched(12),
    "40 trials of 5 fields": lambda: searched(40),
    "12 trials of 1 field": lambda: searched(12, (RATE,)),
    "40 trials of 9 fields": lambda: searched(
        40,
        (
            *FIVE,
            Dimension("training.epochs", low=1, high=12, integer=True),
            Dimension("training.gradient_accumulation", low=1, high=64, log=True, integer=True),
            Dimension("method.dropout", low=0.0, high=0.5),
            Dimension("training.dropout", choices=("adapter", "model")),
        ),
    ),
    "all scores equal": lambda: study_of(*(trial_result(n, 0.5, curve=((40, 0.5), (120, 0.5))) for n in range(6))),
    "all scores zero": lambda: study_of(*(trial_result(n, 0.0, curve=((40, 0.0),)) for n in range(3))),
    "one trial": lambda: study_of(trial_result(0, 0.5, curve=((120, 0.5),), origin="the recipe")),
    "one trial without a curve": lambda: study_of(trial_result(3, 0.5, curve=())),
    "perplexity": lambda: lower_is_better(searched(12)),
    "perplexity, one far off": lambda: lower_is_better(searched(12), 3.0),
    "lists, null, true beside 1": lambda: study_of(
        *(
            trial_result(n, 0.7 + n / 100, values={"method.target_modules": value})
            for n, value in enumerate(
                (["query", "value"], None, True, 1, "$x$ <b>", ["query", "value", "key", "dense"])
            )
        ),
        space=(Dimension("method.target_modules", choices=(["query", "value"], None, True, 1, "$x$ <b>")),),
    ),
    "own value outside of the space": lambda: study_of(
        trial_result(0, 0.7, values={"training.learning_rate": 0.5, "method.r": 3}, origin="the recipe"),
        trial_result(1, 0.8, values={"training.learning_rate": 1e-4, "method.r": 8}),
        space=(RATE, RANK),
    ),
}
