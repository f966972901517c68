"""What came of holding a new model against the registered champion, on the same test rows."""

from dataclasses import dataclass
from typing import Literal

from luthier.evaluation.paired import PairedDifference
from luthier.evaluation.scores import Score
from luthier.tasks.task import Predictions


@dataclass(frozen=True)
class ChampionComparison:
    """What came of the comparison.

    ``candidate`` and ``champion`` are scored by the deciding metric on ``rows`` rows; ``left_out`` others have content
    that the champion was trained or validated on. There are no scores where ``reason`` says why the two cannot be
    compared. ``margin`` is how much worse than the champion the interval may reach.
    """

    model: str
    version: str
    digest: str
    rows: int = 0
    left_out: int = 0
    candidate: Score | None = None
    champion: Score | None = None
    difference: PairedDifference | None = None
    margin: float = 0.0
    reaches_target: bool | None = None
    reason: str | None = None

    @property
    def outcome(self) -> Literal["better", "worse", "alike", "not comparable"]:
        """What is known of the candidate beside the champion."""
        if self.difference is None:
            return "not comparable"
        return "better" if self.difference.is_better else "worse" if self.difference.is_worse else "alike"


@dataclass(frozen=True)
class ChampionAnswers:
    """What version ``version`` answered to the test rows at ``places``, which are those that are new to it."""

    version: str
    places: tuple[int, ...]
    predictions: Predictions
