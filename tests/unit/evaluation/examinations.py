"""Examinations of answered rows, without a model."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from luthier.evaluation.calibrating import fitted
from luthier.evaluation.champion_comparison import ChampionAnswers
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.examination import Examination
from luthier.evaluation.known import Known
from luthier.recipe.schema import EvaluationSection
from luthier.tasks.task import Inference, Predictions


def examination(
    test: Evaluated,
    validation: Evaluated | None = None,
    train: pa.Table | None = None,
    *,
    metric: str | None = None,
    confidence: float = 0.95,
    **more: Any,
) -> Examination:
    """Validation and training rows are the test's own unless given, the metric the task's first."""
    known: dict[str, Any] = {
        "validation": test if validation is None else validation,
        "train": test.rows if train is None else train,
        "history": (),
        "model": Path("untuned"),
        "inference": Inference(16),
        "evaluation": EvaluationSection.model_validate(
            {
                "metric": metric or test.task.metrics(test.label_kind)[0],
                "confidence": confidence,
                "learning_curve": {"by": "none"},
            }
        ),
    }
    known |= {place.name: more.pop(place.name) for place in fields(Known) if place.name in more}
    return Examination(Known(**known), test, **more)


def calibrated(test: Evaluated, validation: Evaluated, train: pa.Table | None = None, **more: Any) -> Examination:
    """As an assessment has it: calibrated on the validation rows, answers as served."""
    calibration = fitted(validation)
    served = [
        replace(part, predictions=calibration.applied(part.predictions, part.head)) for part in (test, validation)
    ]
    return examination(*served, train, calibration=calibration, uncalibrated=test.predictions, **more)


def champion(test: Evaluated, answers: list[Any], places: list[int]) -> ChampionAnswers:
    evidence = [test.predictions.evidence[place] for place in places]
    return ChampionAnswers("3", tuple(places), Predictions(answers, evidence))
