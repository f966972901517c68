"""What should be done next, in one sentence."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luthier.evaluation.report import EvaluationReport

SMALLER = "Take a smaller base model, a lower training.max_length or a looser evaluation.gate"


def next_step_sentence(report: "EvaluationReport") -> str:
    """The first remedy: of what no tuning mends, else of the gravest finding, else another round of tuning.

    A target that is met below a baseline was set too low.
    """
    found = report.aspects.diagnosis
    remedy = found.findings[0].remedy if found and found.findings else None
    better = [name for name, gain in report.gains.items() if gain.is_worse]
    if report.verdict == "met" and better:
        return f"The target is met, but a baseline does better ({', '.join(better)}): set evaluation.target above it."
    if report.verdict == "met":
        return f"The target is met. {_further(remedy) if remedy else 'Nothing has to be done.'}"
    if report.untunable:
        return f"{SMALLER}: {untunable_sentence(report)}"
    return remedy or f"Tune it: luthier tune {report.recipe}."


def untunable_sentence(report: "EvaluationReport") -> str:
    """What it falls short of, where no hyperparameter mends it."""
    return f"{'; '.join(condition.reason for condition in report.untunable)}."


def _further(remedy: str) -> str:
    return f"What may gain more: {remedy[0].lower()}{remedy[1:]}"
