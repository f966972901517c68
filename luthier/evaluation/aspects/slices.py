"""Where a model fails: its score on parts of the test rows, and which of them are worse by more than chance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from luthier.errors import LuthierError
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.examination import Examination
from luthier.evaluation.metrics.statistic import Statistic
from luthier.evaluation.scores import Score, score, statistic
from luthier.evaluation.slice_pictures import slice_scores
from luthier.evaluation.slicing import Part, parts
from luthier.evaluation.style import Form
from luthier.evaluation.two_groups import Difference, apart, chance_of_worse, holm
from luthier.evaluation.wording import NOTHING, metric_name, number, places, shortened, signed

# On fewer rows, or beside fewer, hardly any difference would be more than chance.
LEAST_ROWS = 20
MOST_SHOWN = 20
LONGEST_NAME = 60
SMALLEST_P = 0.001


@dataclass(frozen=True)
class Slice:
    """A part of the test rows. ``metric`` is the deciding one, or what takes its place where that means nothing.

    ``difference`` is from all other rows, positive where the slice is better. ``p`` says how likely chance makes a
    slice as much worse, corrected for all that were judged. A slice that is not judged has neither, and ``unjudged``
    says why.
    """

    by: str
    name: str
    rows: int
    metric: str
    score: Score | None = None
    difference: Difference | None = None
    p: float | None = None
    unjudged: str | None = None

    @property
    def said_score(self) -> str:
        """The value, ``–`` where there is none."""
        return number(self.metric, self.score.value) if self.score else NOTHING

    @property
    def said_p(self) -> str:
        """``0.013``, ``–`` where it is not judged."""
        return NOTHING if self.p is None else f"{self.p:.3f}" if self.p >= SMALLEST_P else f"below {SMALLEST_P}"

    @property
    def said_difference(self) -> str:
        """``-0.140 (-0.210 to -0.080)``, empty where it is not judged."""
        if self.score is None or self.difference is None:
            return ""
        return signed(self.difference, places(self.metric, self.score.value))


@dataclass(frozen=True)
class Slices:
    """Every slice in the order of the ways to slice; ``score`` is that of all ``rows`` together."""

    metric: str
    confidence: float
    rows: int
    score: float
    slices: tuple[Slice, ...]

    @property
    def judged(self) -> tuple[Slice, ...]:
        """Those with rows enough."""
        return tuple(each for each in self.slices if each.p is not None)

    @property
    def worse(self) -> tuple[Slice, ...]:
        """Those that are worse than the other rows by more than chance, the worst first."""
        found = [each for each in self.judged if each.p is not None and each.p < 1 - self.confidence]
        return tuple(sorted(found, key=self._badness))

    @property
    def worst(self) -> Slice | None:
        """The one that is worse by most, if any is."""
        return next(iter(self.worse), None)

    @property
    def sentence(self) -> str:
        """Which slice is worst, or that none is worse by more than chance."""
        if not self.judged:
            return f"No slice has {LEAST_ROWS} rows, and as many others beside it, so none is judged."
        if (worst := self.worst) is None:
            return f"None of {len(self.judged)} slices is worse than the other rows by more than chance."
        others = len(self.worse) - 1
        return (
            f"Worst slice: {worst.by}, {shortened(worst.name, LONGEST_NAME)}: {metric_name(worst.metric)} "
            f"{worst.said_score} on {worst.rows:,} rows, {worst.said_difference} beside the other rows; "
            f"corrected p {worst.said_p}."
            + (f" {others} more {'is' if others == 1 else 'are'} worse by more than chance." if others else "")
        )

    @property
    def shown(self) -> tuple[Slice, ...]:
        """At most 20, in the order of the ways to slice: those that are worst, the unjudged last of all."""
        ranked = sorted(self.slices, key=self._badness)[:MOST_SHOWN]
        return tuple(each for each in self.slices if any(each is other for other in ranked))

    @property
    def families(self) -> dict[str, list[Slice]]:
        """Those that are shown, by the way they are sliced."""
        return {by: [each for each in self.shown if each.by == by] for by in dict.fromkeys(s.by for s in self.shown)}

    def _badness(self, found: Slice) -> tuple[bool, bool, float]:
        """Differences by another metric are on another scale."""
        difference = found.difference
        return difference is None, found.metric != self.metric, difference.value if difference else 0.0


def examine(given: Examination) -> Slices | None:
    """The slices of the rows that the deciding metric has answers to; None where nothing parts them."""
    metric, confidence = given.known.evaluation.metric, given.confidence
    test = answered(given.test, metric)
    found = parts(test, metric)
    if not found:
        return None
    wholes = {name: statistic(name, *test.compared(name)) for name in {metric, *(part.metric for part in found)}}
    measured = [_measured(test, part, wholes[part.metric], confidence) for part in found]
    corrected = iter(holm([each.p for each in measured if each.p is not None]))
    slices = tuple(each if each.p is None else replace(each, p=next(corrected)) for each in measured)
    return Slices(metric, confidence, len(test.rows), wholes[metric].value, slices)


def answered(test: Evaluated, metric: str) -> Evaluated:
    """The rows that the metric compares: of generated texts those that were generated."""
    if len(test.compared(metric)[0]) == len(test.rows):
        return test
    return test.where(np.array([answer is not None for answer in test.predictions.answers]))


def _measured(test: Evaluated, part: Part, whole: Statistic, confidence: float) -> Slice:
    """``p`` is not corrected yet."""
    inside, metric = part.inside, part.metric
    rows = int(inside.sum())

    found = Slice(part.by, part.name, rows, metric)
    try:
        own = score(metric, *test.where(inside).compared(metric), confidence=confidence)
    except LuthierError as error:
        return replace(found, unjudged=f"{metric_name(metric)} is {error.what}")
    found = replace(found, score=own)
    if rows < LEAST_ROWS:
        return replace(found, unjudged=f"fewer than {LEAST_ROWS} rows")
    if len(inside) - rows < LEAST_ROWS:
        return replace(found, unjudged=f"fewer than {LEAST_ROWS} other rows")
    try:
        others = score(metric, *test.where(~inside).compared(metric), confidence=confidence)
    except LuthierError as error:
        return replace(found, unjudged=f"of the other rows {metric_name(metric)} is {error.what}")
    p = chance_of_worse(metric, whole, inside)
    return replace(found, difference=apart(metric, own, others), p=p)


def pictures(found: Slices) -> Mapping[str, Callable[[Form], bytes]]:
    """The scores of the slices that the deciding metric measures."""
    shown = [each for each in found.shown if each.score is not None and each.metric == found.metric]
    return {"scores": lambda form: slice_scores(found, shown, form)} if shown else {}
