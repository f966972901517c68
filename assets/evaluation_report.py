"""evaluation_report: test scores with intervals, beside the baselines; the verdict."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.incumbent import RegisteredChampion, contest, registered_champion
from assets.loop_history import loop_metadata
from assets.materialization import materialized, mistakes_explained, picture, table
from assets.partitions import recipe_partitions
from assets.run_listing import list_verdict, listing_tags
from assets.studies import round_of
from assets.training_origin import UPSTREAM, head_of, origin_of, require_same
from assets.unchanged import nothing_was_made
from luthier.errors import LuthierError
from luthier.evaluation.gate import CHECKS
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.test_read_ledger import TestReadLedger
from resources.tracking import Tracking
from resources.tracking_run import TrackedRun

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
    from luthier.evaluation.assessment import Assessment, assess
    from luthier.evaluation.test_reads import Reading
    from luthier.tasks import TASKS
    from luthier.tasks.task import Inference
    from luthier.training.hyperparameters import configuration_digest, read_hyperparameters

    record: dict[str, str | None] = {"dagster_run_id": context.run_id}
    with mistakes_explained():
        resolved = recipes.get(context.partition_key)
        require_same("cleaned_splits", cleaned_splits, adapter)
        origin = origin_of(adapter, artifacts)
        method, training, _ = values = read_hyperparameters(origin.hyperparameters.folder)
        evaluation, task = resolved.recipe.evaluation, adapter.manifest["inputs"]["task"]
        inputs = {
            "task": task,
            "cleaned_splits": cleaned_splits.digest,
            "adapter": adapter.digest,
            "evaluation": evaluation.model_dump(mode="json"),
        }
        champion = champion_now(context, resolved.model_name, artifacts, tracking)
        judged = contest(inputs, champion, artifacts)
        digests = {**{name: adapter.manifest["inputs"][name] for name in UPSTREAM}, "adapter": adapter.digest}
        job = Assessment(
            recipe=resolved.name,
            task=TASKS[task],
            head=head_of(task, cleaned_splits, origin.base_model),
            method=method,
            evaluation=evaluation,
            inference=Inference(
                max_length=training.max_length,
                max_new_tokens=evaluation.max_new_tokens,
                generated_rows=evaluation.generated_rows,
            ),
            splits=cleaned_splits.folder,
            model=origin.model.folder,
            tuned=adapter.folder,
            digests=digests,
            champion=judged.champion.opened(artifacts) if judged.champion else None,
        )

        reading = Reading(
            recipe=resolved.name,
            adapter=adapter.digest,
            configuration=configuration_digest(values, origin.model.digest),
            seed=training.seed,
            metric=evaluation.metric,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        ledger = TestReadLedger(artifacts.home, cleaned_splits.digest)

        def measure(folder: Path) -> None:
            reads = ledger.begin(artifacts.digest("evaluation_report", inputs), reading)
            tags = {f"luthier.{name}": digest for name, digest in digests.items()}
            with tracking.run(
                asset="evaluation_report",
                name="3 evaluation",
                dagster_run_id=context.run_id,
                recipe=resolved.name,
                tags=tags,
            ) as run:
                run.log_dataset("test", cleaned_splits.digest[:32], resolved.recipe.data.address, "test")
                report = assess(replace(job, reads=reads), folder)
                ledger.end(artifacts.digest("evaluation_report", inputs), report.deciding.value)
                log_report(run, report, folder)
                record["mlflow_run_id"] = run.mlflow_run_id

        artifact = artifacts.obtain("evaluation_report", judged.inputs, measure, record=record)
    return published(context, artifact, adapter, method.kind, tracking)


def published(
    context: dg.AssetExecutionContext, artifact: Artifact, adapter: Artifact, method: str, tracking: Tracking
) -> dg.MaterializeResult:
    """Puts the report where people look: on the parent run in MLflow, and into Dagster's metadata."""
    from luthier.evaluation.report import read_report

    report, number, data = (
        read_report(artifact.folder),
        round_of(context),
        artifact.manifest["inputs"]["cleaned_splits"],
    )
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


def log_report(run: TrackedRun, report: "EvaluationReport", folder: Path) -> None:
    """The scores with their intervals, those of the baselines and the champion, and the report's files."""
    run.log_metrics({f"test_{name}": found.value for name, found in report.metrics.items()})
    run.log_metrics({f"test_{report.metric}_{end}": getattr(report.deciding, end) for end in ("low", "high")})
    run.log_metrics({f"baseline_{name}": found.value for name, found in report.baselines.items()})
    run.log_metrics(champion_metrics(report))
    run.set_tags({"luthier.verdict": report.verdict, **champion_tags(report)})
    for path in sorted(each for each in folder.iterdir() if each.name != "predictions.parquet"):
        run.log_artifact(path)


def champion_now(
    context: dg.AssetExecutionContext, model: str, artifacts: ArtifactStore, tracking: Tracking
) -> RegisteredChampion | None:
    """The registered champion; without MLflow the evaluation goes on, and nothing is deployed from it as yet."""
    try:
        return registered_champion(model, artifacts, tracking)
    except LuthierError as error:
        context.log.warning(f"not compared with a champion: {error}")
        return None


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


def summarize(artifact: Artifact, report: "EvaluationReport", parent: TrackedRun, round_number: int | None) -> None:
    """Puts the verdict, the deciding score and the report on the parent run, where people look first."""
    parent.log_metrics({f"test_{name}": found.value for name, found in report.metrics.items()})
    list_verdict(parent, report, round_number, reused=artifact.reused)
    parent.log_metrics(champion_metrics(report))
    tags = {"luthier.verdict": report.verdict, "luthier.evaluation_report": artifact.digest}
    parent.set_tags({**tags, **champion_tags(report)})
    parent.log_artifact(artifact.folder / "report.html")
    parent.log_artifact(artifact.folder / "scores.png")


def described(
    artifact: Artifact, report: "EvaluationReport", tracking: Tracking, further: Mapping[str, Any]
) -> dg.MaterializeResult:
    """The report as a person wants to see it in the UI, with the verdict as a check that may fail without stopping.

    ``further`` is what the run and the loop's earlier rounds add.
    """
    from luthier.evaluation.markdown import report_markdown
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
