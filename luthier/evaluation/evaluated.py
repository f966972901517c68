"""What is judged: test rows, what the tuned model answered to them, and what each baseline did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from luthier.errors import LuthierError
from luthier.tasks import Task
from luthier.tasks.head import Head
from luthier.tasks.task import Predictions

# What the model that is judged is called beside its baselines.
TUNED: Final = "fine-tuned"


@dataclass(frozen=True)
class Evaluated:
    """Rows with the columns of a split, and answers to each of them."""

    task: Task
    head: Head
    label_kind: str
    rows: pa.Table
    predictions: Predictions
    baselines: Mapping[str, Predictions] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found, rows = self.predictions, len(self.rows)
        lengths = {rows, len(found.evidence), *(len(p.answers) for p in (found, *self.baselines.values()))}
        if len(lengths) > 1:
            raise LuthierError("rows and predictions do not fit together", where="evaluation", received=sorted(lengths))
        if not all(np.isfinite(numbers).all() for numbers in found.evidence):
            raise LuthierError("a probability or likelihood is not finite", where="evaluation")

    @property
    def outputs(self) -> np.ndarray:
        """What a sequence classifier gave each row: probabilities (rows x classes), or numbers (rows x 1)."""
        return np.stack(list(self.predictions.evidence))

    def chosen(self, places: Sequence[int]) -> "Evaluated":
        """Some of the rows, in this order, without the baselines."""
        rows = self.rows.take(pa.array(places, pa.int64()))
        return replace(self, rows=rows, predictions=self.predictions.of(places), baselines={})

    def where(self, kept: np.ndarray) -> "Evaluated":
        """The rows of a mask."""
        return self.chosen(np.flatnonzero(kept).tolist())

    def compared(self, metric: str, baseline: str | None = None) -> tuple[Any, Any]:
        """Gold and predicted of a metric; a baseline is judged by the rows that the model has answers to."""
        predictions = self.predictions
        if baseline is not None:
            given = zip(self.baselines[baseline].answers, predictions.answers, strict=True)
            answers = [None if model is None else answer for answer, model in given]
            predictions = replace(self.baselines[baseline], answers=answers)
        return self.task.compared(metric, self.rows, predictions, self.head)
