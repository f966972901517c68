"""What MLflow is told of an evaluation: its own run, and the parent that people look at first."""

from pathlib import Path
from typing import TYPE_CHECKING

from assets.run_listing import list_verdict
from resources.artifact_store import Artifact
from resources.tracking_run import TrackedRun

if TYPE_CHECKING:
    from luthier.evaluation.report import EvaluationReport


def log_report(run: TrackedRun, report: "EvaluationReport", folder: Path) -> None:
    """The scores with their intervals, those of the baselines and the champion, and the report's files."""
    from luthier.evaluation.answers_file import FILE

    run.log_metrics({f"test_{name}": found.value for name, found in report.metrics.items()})
    run.log_metrics({f"test_{report.metric}_{end}": getattr(report.deciding, end) for end in ("low", "high")})
    run.log_metrics({f"baseline_{name}": found.value for name, found in report.baselines.items()})
    run.log_metrics({"test_reads": report.reads.number})
    run.log_metrics(champion_metrics(report))
    run.set_tags({"luthier.verdict": report.verdict, **champion_tags(report)})
    for path in sorted(each for each in folder.iterdir() if each.name != FILE):
        run.log_artifact(path)


def summarize(artifact: Artifact, report: "EvaluationReport", parent: TrackedRun, round_number: int | None) -> None:
    """Puts the verdict, the deciding score and the report on the parent run, where people look first."""
    parent.log_metrics({f"test_{name}": found.value for name, found in report.metrics.items()})
    parent.log_metrics({"test_reads": report.reads.number})
    list_verdict(parent, report, round_number, reused=artifact.reused)
    parent.log_metrics(champion_metrics(report))
    tags = {"luthier.verdict": report.verdict, "luthier.evaluation_report": artifact.digest}
    parent.set_tags({**tags, **champion_tags(report)})
    parent.log_artifact(artifact.folder / "report.html")
    parent.log_artifact(artifact.folder / "scores.png")


def champion_metrics(report: "EvaluationReport") -> dict[str, float]:
    """What a comparison with the champion found, if there was one."""
    found = report.champion
    if found is None or found.difference is None or found.champion is None or found.candidate is None:
        return {}
    return {
        f"champion_{report.metric}": found.champion.value,
        f"candidate_{report.metric}": found.candidate.value,
        "champion_difference": found.difference.value,
        "champion_difference_low": found.difference.low,
        "champion_difference_high": found.difference.high,
        "champion_p": found.difference.p,
        "champion_rows": found.rows,
        "champion_rows_left_out": found.left_out,
    }


def champion_tags(report: "EvaluationReport") -> dict[str, str]:
    """The champion that the report compares with, and whether the new model is better, worse or alike."""
    found = report.champion
    return (
        {"luthier.compared_champion": f"{found.model} {found.version}", "luthier.beside_champion": found.outcome}
        if found
        else {}
    )
