"""What an evaluation looks at: the answers of the tuned model, as it will be served, and all that goes with them."""

from dataclasses import dataclass

from luthier.evaluation.champion_comparison import ChampionAnswers
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.known import Known
from luthier.evaluation.test_reads import NEVER_READ, TestReads
from luthier.tasks.calibration import UNCALIBRATED, Calibration
from luthier.tasks.task import Predictions


@dataclass(frozen=True)
class Examination:
    """One evaluation's material: what is ``known`` without the test rows, and those.

    ``test`` has answers as served; ``uncalibrated`` are those before ``calibration``, ``changed`` those to the changed
    copies of test rows. ``reads`` says who read these test rows before. ``champion`` are the registered champion's
    answers, where there is another one that was asked.
    """

    known: Known
    test: Evaluated
    calibration: Calibration = UNCALIBRATED
    uncalibrated: Predictions | None = None
    changed: Predictions | None = None
    reads: TestReads = NEVER_READ
    champion: ChampionAnswers | None = None

    @property
    def confidence(self) -> float:
        """The confidence of each interval, corrected for the readings of this test split."""
        return self.reads.corrected(self.known.evaluation.confidence)
