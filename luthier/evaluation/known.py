"""What is known of a model without its test rows: all that tuning, or a finding for it, may rest on."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.scores import point
from luthier.recipe.schema import EvaluationSection
from luthier.tasks.metric import METRICS, Metric
from luthier.tasks.task import Inference
from luthier.training.history import History

if TYPE_CHECKING:
    from luthier.models.features import RememberedFeatures


@dataclass(frozen=True)
class Known:
    """Training and validation rows, the tuned model's answers to the latter, as served, and the training's log.

    It has no field for test rows, so that nothing made of it can depend on one. ``model`` is the folder of the untuned
    model, ``method`` how it was tuned, ``features`` are those that the untuned one gives to texts.
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

    @cached_property
    def own_rows(self) -> pa.Table:
        """Training rows that came from the data. A copy that augmentation made is no further row, and would vouch for
        the label of its original.
        """
        if "augmentation" not in self.train.column_names:
            return self.train
        return self.train.filter(pc.is_null(self.train["augmentation"]))

    def has(self, field: str) -> bool:
        """Whether the method has a field of this name."""
        return self.method is not None and hasattr(self.method, field)
