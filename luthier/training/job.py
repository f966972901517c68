"""What one training is given."""

from dataclasses import dataclass
from pathlib import Path

from luthier.methods import Method
from luthier.recipe.schema import TrainingSection
from luthier.tasks import Task
from luthier.tasks.head import Head
from luthier.tasks.metric import METRICS, Metric
from luthier.training.compute import Compute


@dataclass(frozen=True)
class FineTuning:
    """Everything that decides the trained weights. ``model`` is the base snapshot or the quantized model.

    ``class_weights`` go by label id; with a mean of 1 over the training rows the loss keeps its scale. ``continued`` is
    the folder of an adapter that training goes on from.
    """

    task: Task
    head: Head
    metric: str
    method: Method
    training: TrainingSection
    compute: Compute
    model: Path
    tokens: Path
    class_weights: tuple[float, ...] | None = None
    continued: Path | None = None

    @property
    def selection_metric(self) -> str:
        """What picks the best checkpoint."""
        return self.task.selected_by(self.metric)

    @property
    def selection(self) -> Metric:
        """The metric that picks the best checkpoint."""
        return METRICS[self.selection_metric]
