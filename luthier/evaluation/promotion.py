"""Whether a new model becomes the champion: on evidence alone, and with the reason as a sentence."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.evaluation.wording import champion_sentence, metric_name, number, verdict_sentence

if TYPE_CHECKING:
    from luthier.evaluation.champion_comparison import ChampionComparison
    from luthier.evaluation.report import EvaluationReport


@dataclass(frozen=True)
class Promotion:
    """What was decided, and why."""

    allowed: bool
    reason: str


@dataclass(frozen=True)
class Incumbent:
    """The champion at the moment of the decision; ``adapter`` is None where it is not known what it was made of."""

    version: str
    digest: str
    adapter: str | None


def promotion(report: "EvaluationReport", incumbent: Incumbent | None, *, adapter: str) -> Promotion:
    """Decides on the model of ``adapter``, which ``report`` is of.

    It must meet the target. Where there is another champion it must also be significantly better on the rows that
    both can be judged by, or the champion must fall short of the target there without being the better one; a champion
    that does other work is replaced as well.
    """
    if report.verdict != "met":
        return Promotion(False, verdict_sentence(report))
    if incumbent is None:
        return Promotion(True, "There is no champion yet.")
    if incumbent.adapter == adapter:
        return Promotion(True, f"The champion, version {incumbent.version}, is this very adapter.")
    found = report.champion
    if found is None or found.digest != incumbent.digest:
        reason = f"The report does not compare with the champion, version {incumbent.version}."
        return Promotion(False, f"{reason} Materialize evaluation_report again.")
    return _beside(report, found)


def _beside(report: "EvaluationReport", found: "ChampionComparison") -> Promotion:
    said = champion_sentence(report)
    assert said is not None
    if found.obstacle is not None:
        if found.obstacle == "changed":
            return Promotion(True, f"{said} The target is met, so the new model takes its place.")
        return Promotion(False, f"{said} It stays; take its alias away in MLflow to let the next model deploy.")
    if found.outcome == "better":
        return Promotion(True, said)
    if found.outcome == "alike" and not found.reaches_target:
        assert found.champion is not None
        value = f"{metric_name(report.metric)} {number(report.metric, found.champion.value)}"
        return Promotion(True, f"{said} But the champion falls short of the target on these rows ({value}).")
    return Promotion(False, f"{said} It stays.")
