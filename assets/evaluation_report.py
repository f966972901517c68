"""evaluation_report: test scores with intervals, beside the baselines; the verdict."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.evaluation_plan import EvaluationPlan, plan_evaluation
from assets.evaluation_run import log_report, summarize
from assets.incumbent import RegisteredChampion, contest, registered_champion
from assets.loop_history import loop_metadata
from assets.materialization import materialized, mistakes_explained, picture, table
from assets.partitions import recipe_partitions
from assets.run_listing import listing_tags
from assets.studies import round_of
from assets.unchanged import nothing_was_made
from luthier.errors import LuthierError
from luthier.evaluation.gate import CHECKS
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking

if TYPE_CHECKING:
    from luthier.evaluation.report import EvaluationReport

SPECS = [dg.AssetCheckSpec(check, asset="evaluation_report", description=said) for check, said in CHECKS.values()]


@dg.asset(
    partitions_def=recipe_partitions,
    io_manager_key="artifacts",
    group_name="finetuning",
    kinds={"json", "scikitlearn"},
    check_specs=SPECS,
)
def evaluation_report(
    context: dg.AssetExecutionContext,
    cleaned_splits: Artifact,
    adapter: Artifact,
    recipes: RecipeBook,
    artifacts: dg.ResourceParam[ArtifactStore],
    tracking: Tracking,
) -> dg.MaterializeResult:
    """Test metrics with confidence intervals, beside those of the task's baselines and of the champion."""
    record: dict[str, str | None] = {"dagster_run_id": context.run_id}
    with mistakes_explained():
        plan = plan_evaluation(recipes.get(context.partition_key), cleaned_splits, adapter, artifacts)
        judged = contest(plan.inputs, champion_now(context, plan, tracking), artifacts)

        def measure(folder: Path) -> None:
            with tracking.run(
                asset="evaluation_report",
                name="3 evaluation",
                dagster_run_id=context.run_id,
                recipe=plan.resolved.name,
                tags={f"luthier.{name}": digest for name, digest in plan.digests.items()},
            ) as run:
                run.log_dataset("test", cleaned_splits.digest[:32], plan.resolved.recipe.data.address, "test")
                log_report(run, plan.assessed(judged.champion, folder), folder)
                record["mlflow_run_id"] = run.mlflow_run_id

        artifact = artifacts.obtain("evaluation_report", judged.inputs, measure, record=record)
    return published(context, artifact, adapter, plan.values[0].kind, tracking)


def published(
    context: dg.AssetExecutionContext, artifact: Artifact, adapter: Artifact, method: str, tracking: Tracking
) -> dg.MaterializeResult:
    """Puts the report where people look: on the parent run in MLflow, and into Dagster's metadata."""
    from luthier.evaluation.report import read_report

    report, number = read_report(artifact.folder), round_of(context)
    data = artifact.manifest["inputs"]["cleaned_splits"]
    further = loop_metadata(context, report, number or 0, data, adapter.facts["best_score"])
    unchanged = nothing_was_made(context, artifact)
    with tracking.parent(context.run_id, context.partition_key) as parent:
        parent.set_tags(listing_tags(number, method, data))
        parent.log_metrics({"best_validation_score": adapter.facts["best_score"]})
        summarize(artifact, report, parent, number)
        if unchanged:
            context.log.info(unchanged)
            parent.set_tags({"luthier.unchanged": "true"})
            further["unchanged"] = unchanged
    further["MLflow experiment"] = parent.experiment_link()
    return described(artifact, report, tracking, further)


def champion_now(
    context: dg.AssetExecutionContext, plan: EvaluationPlan, tracking: Tracking
) -> RegisteredChampion | None:
    """The registered champion; without MLflow the evaluation goes on, and nothing is deployed from it as yet."""
    try:
        return registered_champion(plan.resolved.model_name, plan.artifacts, tracking)
    except LuthierError as error:
        context.log.warning(f"not compared with a champion: {error}")
        return None


def described(
    artifact: Artifact, report: "EvaluationReport", tracking: Tracking, further: Mapping[str, Any]
) -> dg.MaterializeResult:
    """The report as a person wants to see it in the UI, with the verdict as a check that may fail without stopping.

    ``further`` is what the run and the loop's earlier rounds add.
    """
    from luthier.evaluation.markdown import report_markdown
    from luthier.evaluation.report import report_data
    from luthier.evaluation.wording import champion_sentence, verdict_sentence

    rows = [
        {"what": n, report.metric: f"{s.value:.4f}", "low": f"{s.low:.4f}", "high": f"{s.high:.4f}"}
        for n, s in report.beside_baselines.items()
    ]
    metadata = {
        "verdict": report.verdict,
        "in short": dg.MetadataValue.md(report_markdown(report, short=True)),
        "summary": verdict_sentence(report),
        "test split read": report.reads.number,
        "champion": champion_sentence(report) or "no other model is the champion",
        **further,
        f"test {report.metric}": report.deciding.value,
        "scores": table(rows),
        "comparison": picture((artifact.folder / "scores.png").read_bytes(), "scores with intervals"),
        "curves": picture((artifact.folder / "curves.png").read_bytes(), "loss and validation score by step"),
        "report": dg.MetadataValue.path(artifact.folder / "report.html"),
        "report as Markdown": dg.MetadataValue.path(artifact.folder / "report.md"),
        "report as JSON": dg.MetadataValue.json(report_data(report, listings=False)),
        "MLflow run": tracking.link_to(artifact.manifest["mlflow_run_id"]),
    }
    if report.confusion:
        confusion = (artifact.folder / "confusion.png").read_bytes()
        metadata["confusion"] = picture(confusion, "rows by label and prediction")
    return materialized(artifact, metadata, checks=list(checks_of(report)))


def checks_of(report: "EvaluationReport") -> Iterator[dg.AssetCheckResult]:
    """Each condition of the gate, which may fail without stopping the run."""
    for condition in report.gate:
        yield dg.AssetCheckResult(
            check_name=CHECKS[condition.name][0],
            passed=condition.passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=condition.reason,
        )
