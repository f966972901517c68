"""The loop from a report back to tuning: whether another round is made, and if not, why it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from luthier.recipe.tuning_section import TuningSection

End = Literal[
    "target met",
    "rounds used up",
    "no improvement",
    "budget used up",
    "study impossible",
    "data changed",
    "not automatic",
]


@dataclass(frozen=True)
class Attempt:
    """One training and what came of it. ``round`` 0 is the first, before any tuning.

    ``score`` is the validation score; None where the round failed, or has not been evaluated. ``seconds`` is how long
    its run took.
    """

    round: int
    score: float | None
    seconds: float = 0.0
    failed: bool = False


@dataclass(frozen=True)
class Step:
    """What follows: the number of the next round, or the reason why there is none; ``because`` is a sentence."""

    round: int | None
    end: End | None
    because: str


DATA_CHANGED = Step(None, "data changed", "The data changed: rounds are counted anew.")


def next_step(
    tuning: TuningSection,
    attempts: Sequence[Attempt],
    *,
    met: bool,
    higher_is_better: bool,
    untunable: str | None = None,
) -> Step:
    """The step after ``attempts``, which are those for the same data, the first training among them.

    ``untunable`` says what the newest report falls short of, where it is only what no hyperparameter changes.
    """
    rounds = [attempt for attempt in attempts if attempt.round > 0]
    count = f"after {len(rounds)} of {tuning.rounds} rounds"
    if met:
        return Step(None, "target met", f"The target is met {count}.")
    if not tuning.automatic:
        return Step(None, "not automatic", "The target is not met, and the recipe starts no tuning by itself.")
    if untunable is not None:
        return Step(None, "study impossible", f"No hyperparameter changes what it falls short of: {untunable}")
    if rounds and rounds[-1].failed:
        return Step(None, "study impossible", f"Round {rounds[-1].round} failed; its run says why.")
    if len(rounds) >= tuning.rounds:
        return Step(None, "rounds used up", f"The target is not met {count}.")
    hours = sum(attempt.seconds for attempt in rounds) / 3600
    if tuning.max_hours is not None and hours >= tuning.max_hours:
        said = f"{hours:.2g} of {tuning.max_hours:g} hours"
        return Step(None, "budget used up", f"The target is not met after {said}.")
    gain = _gain(attempts, higher_is_better)
    if gain is not None and tuning.min_improvement is not None and gain <= tuning.min_improvement:
        said = f"Round {rounds[-1].round} improved the validation score by {max(gain, 0.0):.4g}"
        return Step(None, "no improvement", f"{said}, and more than {tuning.min_improvement:g} is asked for.")
    following = max((attempt.round for attempt in rounds), default=0) + 1
    return Step(following, None, f"The target is not met: round {following} of {tuning.rounds} follows.")


def _gain(attempts: Sequence[Attempt], higher_is_better: bool) -> float | None:
    """How much the last round is better than the best before it; None where there is nothing to compare."""
    scored = [attempt for attempt in attempts if attempt.score is not None]
    if len(scored) < 2 or scored[-1].round == 0:
        return None
    before = [attempt.score for attempt in scored[:-1] if attempt.score is not None]
    last = scored[-1].score
    assert last is not None
    return last - max(before) if higher_is_better else min(before) - last
