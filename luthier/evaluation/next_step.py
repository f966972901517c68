"""What should be done next, in one sentence."""

from typing import TYPE_CHECKING

from luthier.evaluation.gate import NOT_TUNABLE

if TYPE_CHECKING:
    from luthier.evaluation.report import EvaluationReport

SMALLER = "Take a smaller base model, a lower training.max_length or a looser evaluation.gate"


def next_step_sentence(report: "EvaluationReport") -> str:
    """The first remedy: of what no tuning mends, else of the gravest finding, else another round of tuning."""
    if report.verdict == "met":
        return f"Nothing has to be done. {_first_remedy(report) or ''}".strip()
    if not report.can_be_tuned:
        return f"{SMALLER}: {untunable_sentence(report)}"
    return _first_remedy(report) or f"Tune it: luthier tune {report.recipe}."


def untunable_sentence(report: "EvaluationReport") -> str:
    """Which failed conditions no hyperparameter mends."""
    failed = [each.reason for each in report.gate if not each.passed and each.decides and each.name in NOT_TUNABLE]
    return f"{'; '.join(failed)}."


def _first_remedy(report: "EvaluationReport") -> str | None:
    found = report.aspects.diagnosis
    return found.findings[0].remedy if found and found.findings else None
