"""What a study came to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from luthier.tuning.space import Dimension

# Where a trial's values came from, apart from earlier rounds.
OWN, CHAMPION, SAMPLED = "the recipe", "the champion", "the sampler"

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
    def ranked(self) -> list[TrialResult]:
        """The complete trials, the best first."""
        return ranked(self.trials, higher_is_better=self.higher_is_better)

    @property
    def best(self) -> TrialResult:
        """The best of the complete trials, of equals the first; there is one."""
        return self.ranked[0]


def ranked(trials: Iterable[TrialResult], *, higher_is_better: bool) -> list[TrialResult]:
    """The complete trials among some, the best first; equals as they came."""
    done = [trial for trial in trials if trial.state == "complete" and trial.score is not None]
    return sorted(done, key=lambda trial: trial.score or 0.0, reverse=higher_is_better)
