"""Whether a new model becomes the champion: on evidence alone, and with the reason as a sentence."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from luthier.evaluation.gate import standing
from luthier.evaluation.wording import champion_sentence, number, verdict_sentence

if TYPE_CHECKING:
    from luthier.evaluation.champion_comparison import ChampionComparison
    from luthier.evaluation.paired import PairedDifference
    from luthier.evaluation.report import EvaluationReport

Alias = Literal["champion", "challenger"]

FORCE: Final = "promote it by hand: luthier promote RECIPE --force"


@dataclass(frozen=True)
class Promotion:
    """What was decided, and why: the alias that the model gets, None where it is not even registered."""

    alias: Alias | None
    reason: str


@dataclass(frozen=True)
class Incumbent:
    """The champion at the moment of the decision; ``adapter`` is None where it is not known what it was made of."""

    version: str
    digest: str
    adapter: str | None


def promotion(
    report: "EvaluationReport",
    incumbent: Incumbent | None,
    *,
    adapter: str,
    withdrawn: str | None = None,
) -> Promotion:
    """Decides on the model of ``adapter``, which ``report`` is of.

    It must meet the target. Where there is another champion it must also be significantly better on the rows that
    both can be judged by, or the champion must fall short of the target there without being the better one. A loss
    beyond the margin that the paired interval does not rule out keeps the champion in its place whatever else holds.
    So does a comparison that has no interval, for whatever reason: a champion that does other work, or whose labels
    are others, is replaced by a person. And so does ``withdrawn``: why somebody took the alias from this very model.
    What meets the target and does not become the champion is the challenger.
    """
    if report.verdict != "met":
        return Promotion(None, verdict_sentence(report))
    if incumbent is None:
        return Promotion("challenger", withdrawn) if withdrawn else Promotion("champion", "There is no champion yet.")
    if incumbent.adapter == adapter:
        return Promotion("champion", f"The champion, version {incumbent.version}, is this very adapter.")
    found = report.champion
    if found is None or found.digest != incumbent.digest:
        reason = f"The report does not compare with the champion, version {incumbent.version}."
        return Promotion(None, f"{reason} Materialize evaluation_report again.")
    decision = _beside(report, found)
    if decision.alias == "champion" and withdrawn:
        return Promotion("challenger", f"{withdrawn} {decision.reason}")
    return decision


def _beside(report: "EvaluationReport", found: "ChampionComparison") -> Promotion:
    said = champion_sentence(report)
    assert said is not None
    if found.difference is None:
        return Promotion("challenger", f"{said} It stays; {FORCE}.")
    if not found.difference.is_within(found.margin):
        loss = loss_sentence(report.metric, found.difference, found.margin)
        return Promotion("challenger", f"{said} It stays: {loss}")
    if found.outcome == "better":
        return Promotion("champion", said)
    if found.outcome == "alike" and not found.reaches_target:
        assert found.champion is not None
        _, short = standing(report.metric, found.champion, target=report.target, require=report.require)
        return Promotion("champion", f"{said} On these rows the champion falls short of the target: {short}.")
    return Promotion("challenger", f"{said} It stays.")


def loss_sentence(metric: str, difference: "PairedDifference", margin: float) -> str:
    """What a paired interval that is not within the margin says."""
    loss = number(metric, -difference.low)
    return f"a loss of up to {loss} is not ruled out, and {margin:g} is the most that may be lost."


def manual_objection(metric: str, difference: "PairedDifference", margin: float, champion: str) -> str | None:
    """What speaks against a version that a person promotes over ``champion``; None if nothing does.

    ``difference`` is the version's gain over that champion.
    """
    if difference.is_within(margin):
        return None
    return f"beside the champion, version {champion}, {loss_sentence(metric, difference, margin).removesuffix('.')}"


def reversed_difference(difference: "PairedDifference") -> "PairedDifference":
    """The same comparison seen from the other model."""
    return replace(difference, value=-difference.value, low=-difference.high, high=-difference.low)
