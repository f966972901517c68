"""What is known of a model without its test rows: all that a finding for tuning may rest on."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.examination import Examination
from luthier.evaluation.plots import History
from luthier.evaluation.scores import point
from luthier.recipe.schema import EvaluationSection
from luthier.tasks.metric import METRICS, Metric
from luthier.tasks.task import Inference

if TYPE_CHECKING:
    from luthier.models.features import RememberedFeatures


@dataclass(frozen=True)
class Known:
    """Training and validation rows, the tuned model's answers to the latter, and the training's log.

    It has no field for test rows, so that nothing made of it can depend on one. ``method`` is how the model was tuned.
    """

    validation: Evaluated
    train: pa.Table
    history: History
    model: Path
    inference: Inference
    evaluation: EvaluationSection
    method: Any = None
    features: "RememberedFeatures | None" = None

    @property
    def metric(self) -> Metric:
        """The one that decides."""
        return METRICS[self.evaluation.metric]

    @cached_property
    def score(self) -> float:
        """The tuned model's validation score by the deciding metric."""
        return point(self.metric.name, *self.validation.compared(self.metric.name))

    @property
    def reaches_target(self) -> bool:
        """Whether the validation score does."""
        return self.metric.reaches(self.score, self.evaluation.target)

    def has(self, field: str) -> bool:
        """Whether the method has a field of this name."""
        return self.method is not None and hasattr(self.method, field)


def without_test(given: Examination) -> Known:
    """The part of an examination that tuning may learn from."""
    return Known(
        validation=given.validation,
        train=given.train,
        history=given.history,
        model=given.model,
        inference=given.inference,
        evaluation=given.evaluation,
        method=given.method,
        features=given.features,
    )
