"""tuning_study: one round of trials over the recipe's search space, on training and validation rows alone."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from assets.materialization import materialized, mistakes_explained
from assets.partitions import recipe_partitions
from assets.report_findings import report_findings
from assets.round_plan import RoundPlan, plan_round
from assets.round_starts import starts_of
from assets.studies import DATA_TAG, ROUND_TAG, finished_studies, round_of, setting_of
from assets.study_description import described_study
from assets.trial_record import TrialRecords
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking


@dg.asset(
    partitions_def=recipe_partitions,
    io_manager_key="artifacts",
    group_name="finetuning",
    kinds={"optuna", "pytorch"},
    pool="training",
    # Of a process that was killed: the study goes on where it was.
    retry_policy=dg.RetryPolicy(max_retries=1),
)
def tuning_study(
    context: dg.AssetExecutionContext,
    cleaned_splits: Artifact,
    base_model: Artifact,
    quantized_model: Artifact,
    recipes: RecipeBook,
    artifacts: dg.ResourceParam[ArtifactStore],
    tracking: Tracking,
) -> dg.MaterializeResult:
    """A study of trials over the recipe's search space, judged on validation rows; one round of the loop."""
    from luthier.training.hyperparameters import suited_to_base

    with mistakes_explained():
        resolved = suited_to_base(recipes.get(context.partition_key), base_model.facts)
        setting = setting_of(resolved, cleaned_splits, base_model)
        finished = finished_studies(context.instance, resolved.name, setting, artifacts)
        number = round_of(context) or len(finished) + 1
        before = [study for study in finished if study.result.round < number]
        found = report_findings(context.instance, resolved.name, cleaned_splits, artifacts)
        plan = plan_round(
            resolved, number, setting, before, cleaned_splits, base_model, quantized_model, artifacts, found
        )
        # Of a run that a person launched: it counts as one that the sensor did.
        context.instance.add_run_tags(context.run_id, {ROUND_TAG: str(number), DATA_TAG: cleaned_splits.digest})
        context.log.info(f"round {number}: study {plan.study}")
        artifact = artifacts.obtain(
            "tuning_study",
            plan.inputs,
            lambda folder: run_study(plan, folder, context, tracking),
            record={"dagster_run_id": context.run_id},
        )
    with tracking.parent(context.run_id, resolved.name) as parent:
        parent.set_tags({"luthier.tuning_study": artifact.digest, "luthier.study": plan.study})
        for path in sorted(artifact.folder.glob("*.html")) + sorted(artifact.folder.glob("*.png")):
            parent.log_artifact(path, "study")
        link = parent.link()
    metadata = {**described_study(artifact.folder, link), "setting": setting, "round": number}
    return materialized(artifact, metadata)


def run_study(plan: RoundPlan, folder: Path, context: dg.AssetExecutionContext, tracking: Tracking) -> None:
    """Works on the study until it has ended, and writes what it came to."""
    from luthier.tuning.report import write_study
    from luthier.tuning.study import RunningStudy

    records = TrialRecords(tracking, context.run_id, plan.resolved.name, plan.number)
    running = RunningStudy(plan.tuning(starts_of(plan, tracking), records.opened))
    ended = running.work()
    write_study(plan.result(running, ended, datetime.now(UTC).isoformat(timespec="seconds")), folder)
