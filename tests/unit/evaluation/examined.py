"""An evaluation's material without a training: test rows answered somehow, and nothing else."""

from pathlib import Path
from typing import Any

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.examination import Examination
from luthier.recipe.schema import EvaluationSection
from luthier.tasks.task import Inference


def examination_of(test: Evaluated, *, metric: str = "accuracy", confidence: float = 0.95, **more: Any) -> Examination:
    return Examination(
        test=test,
        validation=test,
        train=test.rows,
        history=(),
        model=Path(),
        inference=Inference(max_length=16),
        evaluation=EvaluationSection.model_validate(
            {"metric": metric, "confidence": confidence, "learning_curve": {"by": "none"}}
        ),
        **more,
    )
