"""evaluation_report: test scores with intervals, beside the baselines; the verdict."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from assets.loop_history import loop_metadata
from assets.materialization import materialized, mistakes_explained, picture, table
from assets.partitions import recipe_partitions
from assets.run_listing import list_verdict, listing_tags
from assets.studies import round_of
from assets.training_origin import UPSTREAM, head_of, origin_of, require_same
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking
from resources.tracking_run import TrackedRun

CHECKS = [
    dg.AssetCheckSpec(
        "meets_target", asset="evaluation_report", description="The test metric reaches the recipe's target."
    )
]


@dg.asset(
    partitions_def=recipe_partitions,
    io_manager_key="artifacts",
    group_name="finetuning",
    kinds={"json", "scikitlearn"},
    check_specs=CHECKS,
)
def evaluation_report(
    context: dg.AssetExecutionContext,
    cleaned_splits: Artifact,
    adapter: Artifact,
    recipes: RecipeBook,
    artifacts: dg.ResourceParam[ArtifactStore],
    tracking: Tracking,
) -> dg.MaterializeResult:
    """Test metrics with confidence intervals, beside those of the task's baselines."""
    from luthier.evaluation.assessment import Assessment, assess
    from luthier.tasks import TASKS
    from luthier.tasks.task import Inference
    from luthier.training.hyperparameters import read_hyperparameters

    record: dict[str, str | None] = {"dagster_run_id": context.run_id}
    with mistakes_explained():
        resolved = recipes.get(context.partition_key)
        require_same("cleaned_splits", cleaned_splits, adapter)
        origin = origin_of(adapter, artifacts)
        method, training, _ = read_hyperparameters(origin.hyperparameters.folder)
        evaluation, task = resolved.recipe.evaluation, adapter.manifest["inputs"]["task"]
        inputs = {
            "task": task,
            "cleaned_splits": cleaned_splits.digest,
            "adapter": adapter.digest,
            "evaluation": evaluation.model_dump(mode="json"),
        }
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
        )

        def measure(folder: Path) -> None:
            tags = {f"luthier.{name}": digest for name, digest in digests.items()}
            with tracking.run(
                asset="evaluation_report",
                name="3 evaluation",
                dagster_run_id=context.run_id,
                recipe=resolved.name,
                tags=tags,
            ) as run:
                report = assess(job, folder)
                run.log_dataset("test", cleaned_splits.digest[:32], resolved.recipe.data.address, "test")
                run.log_metrics({f"test_{name}": found.value for name, found in report.metrics.items()})
                run.log_metrics(
                    {f"test_{report.metric}_{end}": getattr(report.deciding, end) for end in ("low", "high")}
                )
                run.log_metrics({f"baseline_{name}": found.value for name, found in report.baselines.items()})
                run.set_tags({"luthier.verdict": report.verdict})
                for path in sorted(folder.glob("report.*")) + sorted(folder.glob("*.png")):
                    run.log_artifact(path)
                record["mlflow_run_id"] = run.mlflow_run_id

        artifact = artifacts.obtain("evaluation_report", inputs, measure, record=record)
    with tracking.parent(context.run_id, resolved.name) as parent:
        parent.set_tags(listing_tags(round_of(context), method.kind, cleaned_splits))
        summarize(artifact, parent, round_of(context))
    history = {**loop_metadata(context, artifact, adapter), "MLflow experiment": parent.experiment_link()}
    return described(artifact, tracking, history)


def summarize(artifact: Artifact, parent: TrackedRun, round_number: int | None) -> None:
    """Puts the verdict, the deciding score and the report on the parent run, where people look first."""
    from luthier.evaluation.report import read_report

    report = read_report(artifact.folder)
    parent.log_metrics({f"test_{name}": found.value for name, found in report.metrics.items()})
    list_verdict(parent, report, round_number, reused=artifact.reused)
    parent.set_tags({"luthier.verdict": report.verdict, "luthier.evaluation_report": artifact.digest})
    parent.log_artifact(artifact.folder / "report.html")
    parent.log_artifact(artifact.folder / "scores.png")


def described(artifact: Artifact, tracking: Tracking, history: Mapping[str, Any]) -> dg.MaterializeResult:
    """The report as a person wants to see it in the UI, with the verdict as a check that may fail without stopping.

    ``history`` is what the loop's earlier rounds came to.
    """
    from luthier.evaluation.report import read_report
    from luthier.evaluation.wording import verdict_sentence

    report = read_report(artifact.folder)
    rows = [
        {"what": n, report.metric: f"{s.value:.4f}", "low": f"{s.low:.4f}", "high": f"{s.high:.4f}"}
        for n, s in report.beside_baselines.items()
    ]
    metadata = {
        "verdict": report.verdict,
        "summary": verdict_sentence(report),
        f"test {report.metric}": report.deciding.value,
        "scores": table(rows),
        "comparison": picture((artifact.folder / "scores.png").read_bytes(), "scores with intervals"),
        "curves": picture((artifact.folder / "curves.png").read_bytes(), "loss and validation score by step"),
        "report": dg.MetadataValue.path(artifact.folder / "report.html"),
        "MLflow run": tracking.link_to(artifact.manifest["mlflow_run_id"]),
        **history,
    }
    if report.confusion:
        confusion = (artifact.folder / "confusion.png").read_bytes()
        metadata["confusion"] = picture(confusion, "rows by label and prediction")
    check = dg.AssetCheckResult(
        check_name="meets_target",
        passed=report.verdict == "met",
        severity=dg.AssetCheckSeverity.WARN,
        description=verdict_sentence(report),
        metadata={"value": report.deciding.value, "target": report.target},
    )
    return materialized(artifact, metadata, checks=[check])
