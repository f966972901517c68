"""What the pictures of a study share: who is drawn how, and the axis of scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luthier.evaluation.style import PALETTE
from luthier.evaluation.wording import metric_name
from luthier.tasks.metric import METRICS
from luthier.tuning.result import StudyResult, TrialResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 8.6
BROKEN = (0, (2.5, 2))
# Scores without a bound that differ by more than this factor stand on a log axis: one bad trial hides no other.
FAR_APART = 20
# The worst and the best of the complete trials, how strongly they are drawn.
WEAKEST, STRONGEST = 0.25, 0.95


@dataclass(frozen=True)
class Drawn:
    """A trial that has a score, and how it looks: the best stands out, the better the stronger, pruned ones faint."""

    trial: TrialResult
    score: float
    best: bool
    strength: float

    @property
    def pruned(self) -> bool:
        return self.trial.state != "complete"

    @property
    def colour(self) -> str:
        return PALETTE["second" if self.best else "muted" if self.pruned else "accent"]

    @property
    def order(self) -> float:
        """The better lies above the worse."""
        return 3.0 if self.best else 1.0 if self.pruned else 2.0 + self.strength / 2

    @property
    def line(self) -> dict[str, Any]:
        """How a line of the trial looks."""
        return {
            "color": self.colour,
            "alpha": self.strength,
            "linewidth": 2.2 if self.best else 0.9 if self.pruned else 1.3,
            "linestyle": BROKEN if self.pruned else "-",
            "zorder": self.order,
        }

    @property
    def dot(self) -> dict[str, Any]:
        """How a dot of the trial looks; those of pruned ones are hollow."""
        return {
            "marker": "o",
            "linestyle": "none",
            "color": self.colour,
            "markerfacecolor": "none" if self.pruned else self.colour,
            "markeredgewidth": 0.9,
            "alpha": 0.7 if self.pruned else 1.0 if self.best else 0.8,
            "markersize": 7 if self.best else 4 if self.pruned else 5,
            "zorder": self.order,
        }


def drawn(result: StudyResult) -> list[Drawn]:
    """The trials that have a score, by number."""
    worst_first = sorted(
        (trial.score for trial in result.trials if trial.state == "complete" and trial.score is not None),
        reverse=not result.higher_is_better,
    )
    best, top = result.best.number, max(len(worst_first) - 1, 1)
    found = []
    for trial in sorted(result.trials, key=lambda trial: trial.number):
        if trial.score is None:
            continue
        if trial.state != "complete":
            strength = 0.45
        elif len(set(worst_first)) == 1:
            strength = (WEAKEST + STRONGEST) / 2
        else:
            strength = WEAKEST + (STRONGEST - WEAKEST) * worst_first.index(trial.score) / top
        found.append(Drawn(trial, trial.score, trial.number == best, 1.0 if trial.number == best else strength))
    return found


def far_apart(result: StudyResult, scores: Sequence[float]) -> bool:
    """Whether scores need a log axis."""
    low, high = min(scores), max(scores)
    return math.isinf(METRICS[result.metric].high) and low > 0 and high > FAR_APART * low


def scale_scores(axes: "Axes", result: StudyResult, scores: Sequence[float]) -> None:
    """The y axis of ``scores``, with room around them where they are all the same."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = min(scores), max(scores)
    if far_apart(result, scores):
        axes.set_yscale("log")
        axes.set_ylim(low / 1.25, high * 1.25)
        axes.yaxis.set_major_locator(LogLocator(subs=(1,) if high > 100 * low else (1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        return
    margin = 0.1 * (high - low) or 0.05 * abs(high) or 0.05
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def score_title(result: StudyResult) -> str:
    return f"Validation {metric_name(result.metric)}"


def legend(axes: "Axes", trials: Sequence[Drawn], *, lines: bool, last: Sequence[Any] = ()) -> None:
    """Says which look is which, for those looks that there are; ``last`` are further handles."""
    from matplotlib.lines import Line2D

    looks = {
        "best": next((found for found in trials if found.best), None),
        "complete": next((found for found in reversed(_by_strength(trials)) if not (found.best or found.pruned)), None),
        "pruned": next((found for found in trials if found.pruned), None),
    }
    handles = [
        Line2D([], [], label=name, **(found.line if lines else found.dot)) for name, found in looks.items() if found
    ]
    axes.legend(handles=[*handles, *last], loc="lower right", bbox_to_anchor=(1.0, 1.02), ncols=6)


def _by_strength(trials: Sequence[Drawn]) -> list[Drawn]:
    return sorted(trials, key=lambda found: found.strength)
