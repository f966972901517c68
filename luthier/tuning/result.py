"""What a study came to."""

from dataclasses import dataclass
from typing import Any, Literal

from luthier.tuning.space import Dimension

State = Literal["complete", "pruned", "failed", "killed", "running"]


@dataclass(frozen=True)
class TrialResult:
    """One trial. ``values`` go by dotted field; those whose condition did not hold are absent.

    ``score`` is the best validation score, of a pruned trial that so far; None where none was measured. ``curve`` has
    (optimizer step, validation score). ``origin`` says where the values came from: the recipe, the champion, an
    earlier study, or the sampler. ``failure`` is the reason of a failed one.
    """

    number: int
    state: State
    values: dict[str, Any]
    score: float | None
    curve: tuple[tuple[int, float], ...]
    steps: int
    max_steps: int
    seconds: float
    origin: str
    diagnosis: str | None = None
    failure: str | None = None


@dataclass(frozen=True)
class StudyResult:
    """One round of tuning. ``revisions`` say how and why the space differs from that of the round before.

    ``importances`` go by dotted field and add up to 1; empty where too few trials say anything.
    """

    recipe: str
    study: str
    round: int
    method: str
    metric: str
    higher_is_better: bool
    sampler: str
    pruner: str
    space: tuple[Dimension, ...]
    revisions: tuple[str, ...]
    trials: tuple[TrialResult, ...]
    importances: dict[str, float]
    seconds: float
    ended: str
    digests: dict[str, str]
    created: str

    @property
    def best(self) -> TrialResult:
        """The best of the complete trials; there is one."""
        complete = [trial for trial in self.trials if trial.state == "complete" and trial.score is not None]
        best = max if self.higher_is_better else min
        return best(complete, key=lambda trial: (trial.score or 0.0))
