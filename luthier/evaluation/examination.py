"""What an evaluation looks at: the answers of the tuned model, as it will be served, and all that goes with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from luthier.evaluation.champion_comparison import ChampionAnswers
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.plots import History
from luthier.evaluation.test_reads import NEVER_READ, TestReads
from luthier.recipe.schema import EvaluationSection
from luthier.tasks.calibration import UNCALIBRATED, Calibration
from luthier.tasks.task import Inference, Predictions

if TYPE_CHECKING:
    from luthier.models.features import RememberedFeatures


@dataclass(frozen=True)
class Examination:
    """One evaluation's material.

    ``test`` and ``validation`` have answers as served; ``uncalibrated`` are those before ``calibration``, by split.
    ``train`` are the training rows, ``history`` the training's log, ``model`` the folder of the untuned model.
    ``asked`` are answers to changed test rows, by the aspect that asked for them. ``reads`` says who read these test
    rows before, ``method`` how the model was tuned. ``features`` are the untuned model's, where it has some.
    ``champion`` are the registered champion's answers, where there is another one that was asked.
    """

    test: Evaluated
    validation: Evaluated
    train: pa.Table
    history: History
    model: Path
    inference: Inference
    evaluation: EvaluationSection
    calibration: Calibration = UNCALIBRATED
    uncalibrated: Mapping[str, Predictions] = field(default_factory=dict)
    asked: Mapping[str, Predictions] = field(default_factory=dict)
    reads: TestReads = NEVER_READ
    champion: ChampionAnswers | None = None
    method: Any = None
    features: "RememberedFeatures | None" = None

    @property
    def confidence(self) -> float:
        """The confidence of each interval, corrected for the readings of this test split."""
        return self.reads.corrected(self.evaluation.confidence)
