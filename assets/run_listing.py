"""How a run is listed in MLflow: named by recipe, round and verdict, with tags to filter by."""

from typing import TYPE_CHECKING

from resources.tracking_run import TrackedRun

if TYPE_CHECKING:
    from luthier.evaluation.report import EvaluationReport


def listing_tags(round_number: int | None, method: str, data: str) -> dict[str, str]:
    """What a training is filtered by; None is the training before any round."""
    return {
        "luthier.round": str(round_number or 0),
        "luthier.method": method,
        "luthier.data": data,
    }


def list_verdict(parent: TrackedRun, report: "EvaluationReport", round_number: int | None, *, reused: bool) -> None:
    """Names the parent run by what it came to, and has its experiment show the metric that decided.

    While a run goes on, and where it fails, MLflow lists it by recipe and the beginning of Dagster's run id.
    """
    parent.rename(title(report.recipe, round_number, report.verdict, reused=reused))
    parent.show_first(f"test_{report.metric}")


def title(recipe: str, round_number: int | None, verdict: str, *, reused: bool) -> str:
    """``reviews · round 1 · met``"""
    which = f"round {round_number}" if round_number else "first training"
    return " · ".join([recipe, which, f"{verdict} (reused)" if reused else verdict])
