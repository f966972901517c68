"""What one round of tuning teaches the next: the space widened, narrowed or shifted, each change with its reason.

A rule reads a finished round and says what to change. ``RULES`` is where further diagnoses are added.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from luthier.tuning.result import TrialResult, ranked
from luthier.tuning.space import Dimension

# The best trials of a round, which rules look at.
BEST = 3
# A best value in this outer share of a range lies at its edge.
EDGE = 0.1
# Where so many trials were made, and the best quarter of them lies within this share of a range, the rest is left out.
ENOUGH, NARROW = 8, 0.5
# A narrowed range keeps this share of its new width on both sides.
ROOM = 0.25
# From this share of the trials on, divergence is the learning rate's fault and not chance.
DIVERGED = 0.25
RATE, EPOCHS, SMOOTHING = "training.learning_rate", "training.epochs", "training.label_smoothing"
DIVERGENCE_SAID = ("is nan", "is inf", "stayed above", "diverge")


@dataclass(frozen=True)
class Round:
    """A finished round. ``values`` are what the recipe's own training uses, by dotted field; ``allows`` says whether a
    field may have a value. ``diagnoses`` are the newest report's findings without a test row, by kind, each with its
    evidence.
    """

    space: tuple[Dimension, ...]
    trials: tuple[TrialResult, ...]
    higher_is_better: bool
    values: Mapping[str, Any]
    allows: Callable[[str, Any], bool]
    diagnoses: Mapping[str, str] = field(default_factory=dict)

    @property
    def best(self) -> list[TrialResult]:
        """The best complete trials, the best first."""
        return ranked(self.trials, higher_is_better=self.higher_is_better)[:BEST]

    @property
    def diverged(self) -> list[TrialResult]:
        """Trials whose loss rose or was no number."""
        return [
            trial
            for trial in self.trials
            if trial.diagnosis == "divergence" or any(said in (trial.failure or "") for said in DIVERGENCE_SAID)
        ]

    def said(self, kind: str) -> str:
        """A finding of the report, as the beginning of a reason."""
        return f"the report found {kind} ({self.diagnoses[kind].rstrip('.')})"

    def because(self, kind: str, trials: Sequence[TrialResult], did: str) -> str | None:
        """That most of the best trials are these, which ``did`` it, or that the report found it; else None."""
        if self.best and len(trials) >= (len(self.best) + 1) / 2:
            return f"{len(trials)} of the best {len(self.best)} trials {did}"
        return self.said(kind) if kind in self.diagnoses else None

    def dimension(self, name: str) -> Dimension | None:
        """The one of this field, if it is searched."""
        return next((dimension for dimension in self.space if dimension.field == name), None)

    def number(self, trial: TrialResult, name: str) -> Any:
        """The value of a field in a trial, searched or not."""
        return trial.values.get(name, self.values.get(name))


@dataclass(frozen=True)
class Change:
    """A dimension that takes the place of the one of its field, or is new."""

    dimension: Dimension
    reason: str


Rule = Callable[[Round], Iterator[Change]]


def lower_rates(found: Round) -> Iterator[Change]:
    """Divergence: the range of learning rates ends where training did not bear it any more."""
    rates, diverged = found.dimension(RATE), found.diverged
    if rates is None or not rates.is_range or len(diverged) < max(2, DIVERGED * len(found.trials)):
        return
    low, high = rates.bounds
    borne = [found.number(trial, RATE) for trial in found.best]
    limit = max([min(found.number(trial, RATE) for trial in diverged), *borne])
    if low < limit < high:
        said = f"{len(diverged)} of {len(found.trials)} trials diverged, the first at a rate of {limit:.3g}"
        yield Change(replace(rates, high=limit), f"{said}: learning rates end there")


def longer_trainings(found: Round) -> Iterator[Change]:
    """Under-fitting: the best trials were best at their end, or hardly learned; twice the epochs may be tried."""
    unfinished = [trial for trial in found.best if trial.diagnosis in ("underfitting", "short") or _still_rising(trial)]
    said = found.because("underfitting", unfinished, "were still learning when they ended")
    if said is None:
        return
    searched = found.dimension(EPOCHS)
    most = max(searched.choices or searched.bounds) if searched else found.values[EPOCHS]
    if not found.allows(EPOCHS, 2.0 * most):
        return
    longer = searched.including(2.0 * most) if searched else Dimension(EPOCHS, choices=(most, 2.0 * most))
    yield Change(longer, f"{said}: up to {2 * most:g} epochs may be tried")


def more_restraint(found: Round) -> Iterator[Change]:
    """Over-fitting: weight decay may be tried, and more of the method's own dropout."""
    overfitted = [trial for trial in found.best if trial.diagnosis == "overfitting"]
    said = found.because("overfitting", overfitted, "overfitted")
    if said is None:
        return
    if found.dimension("training.weight_decay") is None:
        own = found.values.get("training.weight_decay", 0.0)
        decays = tuple(dict.fromkeys((own, 0.01, 0.1)))
        yield Change(Dimension("training.weight_decay", choices=decays), f"{said}: weight decay is searched")
    dropout = found.dimension("method.dropout")
    if dropout is not None and dropout.is_range and found.allows("method.dropout", 0.4) and dropout.bounds[1] < 0.4:
        yield Change(replace(dropout, high=0.4), f"{said}: dropout goes up to 0.4")
    elif dropout is None and "method.dropout" in found.values and found.allows("method.dropout", 0.3):
        yield Change(Dimension("method.dropout", low=0.0, high=0.3), f"{said}: the adapter's dropout is searched")


def smoother_labels(found: Round) -> Iterator[Change]:
    """Noisy labels: label smoothing may be tried, which keeps a model from learning a wrong label by heart.

    Lukasik et al. (2020), "Does label smoothing mitigate label noise?", arXiv 2003.02819.
    """
    if "noisy labels" not in found.diagnoses or found.dimension(SMOOTHING) is not None:
        return
    own = found.values.get(SMOOTHING, 0.0)
    choices = tuple(value for value in dict.fromkeys((own, 0.05, 0.1)) if found.allows(SMOOTHING, value))
    if len(choices) > 1:
        yield Change(
            Dimension(SMOOTHING, choices=choices), f"{found.said('noisy labels')}: label smoothing is searched"
        )


def wider_edges(found: Round) -> Iterator[Change]:
    """A best value at the edge of the space: what lies behind it may be better."""
    if not found.best:
        return
    best = found.best[0]
    for dimension in found.space:
        value = best.values.get(dimension.field)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        wider = _wider_range(dimension, value, found) if dimension.is_range else _more_choices(dimension, value, found)
        if wider is not None:
            said = f"the best trial has {dimension.field} {value:.3g}, at the edge of what was searched"
            yield Change(wider, f"{said}: {_described(wider)} may be tried")


def narrower_ranges(found: Round) -> Iterator[Change]:
    """The best quarter of many trials lies close together: the rest of the range is left out."""
    done = [trial for trial in found.trials if trial.score is not None and trial.state in ("complete", "pruned")]
    if len(done) < ENOUGH:
        return
    best_first = sorted(done, key=lambda trial: trial.score or 0.0, reverse=found.higher_is_better)
    for dimension in found.space:
        values = [trial.values[dimension.field] for trial in best_first if dimension.field in trial.values]
        top = values[: max(2, len(values) // 4)]
        if not dimension.is_range or dimension.integer or len(values) < ENOUGH:
            continue
        places = [dimension.position(value) for value in top]
        width = max(places) - min(places)
        if width >= NARROW or min(places) < EDGE or max(places) > 1 - EDGE:
            continue
        low, high = max(0.0, min(places) - ROOM * width), min(1.0, max(places) + ROOM * width)
        if high - low < EDGE:
            low, high = max(0.0, low - EDGE / 2), min(1.0, high + EDGE / 2)
        narrow = replace(dimension, low=_at(dimension, low), high=_at(dimension, high))
        said = f"the best {len(top)} of {len(values)} trials have {dimension.field} close together"
        yield Change(narrow, f"{said}: {_described(narrow)} is searched more closely")


RULES: Final[tuple[Rule, ...]] = (
    lower_rates,
    longer_trainings,
    more_restraint,
    smoother_labels,
    wider_edges,
    narrower_ranges,
)
# What follows from a report alone, before any trial was made; longer trainings cost more, and wait for trials to ask.
BY_REPORT: Final[tuple[Rule, ...]] = (more_restraint, smoother_labels)


def revised(found: Round, rules: Sequence[Rule] = RULES) -> tuple[tuple[Dimension, ...], tuple[str, ...]]:
    """The space of the next round, and why it differs; the first rule that changes a field decides it."""
    changes: dict[str, Change] = {}
    for rule in rules:
        for change in rule(found):
            changes.setdefault(change.dimension.field, change)
    kept = [changes[d.field].dimension if d.field in changes else d for d in found.space]
    known = {dimension.field for dimension in found.space}
    new = [change.dimension for name, change in changes.items() if name not in known]
    return (*kept, *new), tuple(change.reason for change in changes.values())


def _still_rising(trial: TrialResult) -> bool:
    """Whether a training that ran to its end was best at its last validation."""
    if len(trial.curve) < 2 or trial.steps < trial.max_steps:
        return False
    return trial.curve[-1][1] == trial.score and trial.curve[-2][1] != trial.score


def _at(dimension: Dimension, place: float) -> float:
    low, high = dimension.bounds
    return low * (high / low) ** place if dimension.log else low + (high - low) * place


def _wider_range(dimension: Dimension, value: float, found: Round) -> Dimension | None:
    place, (low, high) = dimension.position(value), dimension.bounds
    if EDGE < place < 1 - EDGE:
        return None
    step = high / low if dimension.log else high - low
    for share in (0.5, 0.25):
        if place <= EDGE:
            end = low / step**share if dimension.log else low - share * step
            wider = replace(dimension, low=round(end) if dimension.integer else end)
        else:
            end = high * step**share if dimension.log else high + share * step
            wider = replace(dimension, high=round(end) if dimension.integer else end)
        if found.allows(dimension.field, wider.low if place <= EDGE else wider.high):
            return wider
    return None


def _more_choices(dimension: Dimension, value: float, found: Round) -> Dimension | None:
    """Of choices that are numbers in order: the next one, as far away as the last step."""
    choices = sorted(choice for choice in dimension.choices if isinstance(choice, (int, float)))
    if len(choices) < 3 or len(choices) < len(dimension.choices) or value not in (choices[0], choices[-1]):
        return None
    end, beside = (choices[0], choices[1]) if value == choices[0] else (choices[-1], choices[-2])
    following = end * end / beside if end and beside else 2 * end - beside
    if isinstance(end, int):
        following = round(following)
    return dimension.including(following) if found.allows(dimension.field, following) else None


def _described(dimension: Dimension) -> str:
    if dimension.is_range:
        return "{:.3g} to {:.3g}".format(*dimension.bounds)
    return ", ".join(map(str, dimension.choices))
