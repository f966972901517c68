"""The gate: every condition that a model must meet to deploy, each with its reason as a sentence."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from luthier.tasks.metric import METRICS

if TYPE_CHECKING:
    from luthier.evaluation.champion_comparison import ChampionComparison
    from luthier.evaluation.report import EvaluationReport
    from luthier.evaluation.scores import Score
    from luthier.recipe.gate_section import GateSection

ConditionName = Literal["target", "labels", "slices", "calibration", "latency", "size", "champion"]
Require = Literal["point", "lower_bound"]

CHECKS: Final[dict[ConditionName, tuple[str, str]]] = {
    "target": ("meets_target", "The test metric reaches the recipe's target."),
    "labels": ("labels_reach_minimum", "Every label's test F1 reaches evaluation.gate.label_f1."),
    "slices": ("slices_reach_minimum", "Every slice of the test rows reaches evaluation.gate.slice."),
    "calibration": ("calibration_within_limit", "The calibration error is at most evaluation.gate.calibration_error."),
    "latency": ("latency_within_limit", "A row takes at most evaluation.gate.latency_ms."),
    "size": ("size_within_limit", "The model is no larger than evaluation.gate.size_mb."),
    "champion": ("no_regression", "The champion is not better by more than evaluation.gate.champion_margin."),
}
"""The asset check of each condition, and what it says."""

# No hyperparameter that is searched makes a model faster or smaller.
NOT_TUNABLE: Final = frozenset({"latency", "size"})
# Of a metric's range, or of the champion's score where that has no end.
MARGIN: Final = 0.02
MOST_NAMED: Final = 5


@dataclass(frozen=True)
class Condition:
    """One condition; ``asked`` is False where the recipe does not set it, and then it holds."""

    name: ConditionName
    passed: bool
    reason: str
    asked: bool = True

    @property
    def decides(self) -> bool:
        """Whether the verdict rests on it; of a champion only the promotion does."""
        return self.name != "champion"


def conditions(report: "EvaluationReport", gate: "GateSection") -> Iterator[Condition]:
    """Every condition, met or not, in the order of ``CHECKS``."""
    cost = report.cost
    yield _target(report)
    yield _labels(report, gate.label_f1)
    yield _slices(report, gate.slice)
    yield _calibration(report, gate.calibration_error)
    yield _most("latency", cost.latency_ms if cost else None, gate.latency_ms, "a row takes {:.1f} ms")
    yield _most("size", cost.megabytes if cost else None, gate.size_mb, "the model has {:.1f} MB")
    yield _champion(report.champion)


def margin_of(metric: str, champion: float, given: float | None) -> float:
    """How much worse than a champion of this score the paired interval may reach."""
    if given is not None:
        return given
    found = METRICS[metric]
    span = found.high - found.low
    return MARGIN * (span if span < float("inf") else abs(champion))


def standing(metric: str, score: "Score", *, target: float, require: Require) -> tuple[bool, str]:
    """Whether what is required of a score reaches the target, and what that is, in words."""
    found = METRICS[metric]
    if require == "point":
        return found.reaches(score.value, target), f"{found.title} {score.value:.4g}"
    bound, end = (score.low, "lower") if found.higher_is_better else (score.high, "upper")
    return found.reaches(bound, target), f"the {end} bound {bound:.4g} of {found.title}"


def _target(report: "EvaluationReport") -> Condition:
    passed, said = standing(report.metric, report.deciding, target=report.target, require=report.require)
    return Condition("target", passed, f"{said} {'reaches' if passed else 'misses'} the target of {report.target:g}")


def _labels(report: "EvaluationReport", least: float | None) -> Condition:
    if least is None:
        return _not_asked("labels")
    judged = [label for label in report.per_class if label.support and label.f1 is not None]
    low = [label for label in judged if label.f1 is not None and label.f1 < least]
    if not low:
        return Condition("labels", True, f"every label with test rows has an F1 of at least {least:g}")
    named = ", ".join(f"{label.label} ({label.f1:.3f})" for label in low)
    return Condition("labels", False, f"F1 is below {least:g} for {named}")


def _slices(report: "EvaluationReport", least: float | None) -> Condition:
    """Slices that another metric measures are not held to it: each label has a condition of its own."""
    if least is None:
        return _not_asked("slices")
    if (reason := report.aspects.impossible.get("slices")) is not None:
        return Condition("slices", False, f"the slices could not be scored: {reason}")
    metric, found = METRICS[report.metric], report.aspects.slices
    scores = {
        f"{each.by}, {each.name}": each.score.value
        for each in (found.judged if found else ())
        if each.score is not None and each.metric == report.metric
    }
    if not scores:
        return Condition("slices", True, "no slice has rows enough to be judged")
    low = [f"{name} ({value:.4g})" for name, value in scores.items() if not metric.reaches(value, least)]
    if not low:
        return Condition("slices", True, f"{metric.title} reaches {least:g} on each of {len(scores)} slices")
    named = ", ".join(low[:MOST_NAMED]) + (f" and {len(low) - MOST_NAMED} more" if len(low) > MOST_NAMED else "")
    return Condition("slices", False, f"{metric.title} misses {least:g} on {len(low)} of {len(scores)} slices: {named}")


def _calibration(report: "EvaluationReport", limit: float | None) -> Condition:
    found = report.aspects.reliability
    if limit is not None and found is None:
        reason = report.aspects.impossible.get("reliability", "the answers have no probabilities")
        return Condition("calibration", False, f"the calibration error is not known: {reason}")
    error = found.served.error.value if found else None
    return _most("calibration", error, limit, "the expected calibration error is {:.4g}")


def _most(name: ConditionName, value: float | None, limit: float | None, said: str) -> Condition:
    if limit is None:
        return _not_asked(name)
    assert value is not None
    within = value <= limit
    return Condition(name, within, f"{said.format(value)}, {'at most' if within else 'more than'} {limit:g}")


def _champion(found: "ChampionComparison | None") -> Condition:
    if found is None:
        return Condition("champion", True, "no other model is the champion")
    if found.difference is None:
        return Condition("champion", False, f"not compared with version {found.version}: {found.reason}")
    within = found.difference.is_within(found.margin)
    reach = f"the paired interval beside version {found.version} begins at {found.difference.low:+.4g}"
    return Condition(
        "champion", within, f"{reach}, {'within' if within else 'beyond'} the margin of {found.margin:.3g}"
    )


def _not_asked(name: ConditionName) -> Condition:
    return Condition(name, True, "the recipe asks for nothing", asked=False)
