"""A second process at work on a study that is under way."""

import dagster as dg

from assets.report_findings import report_findings
from assets.round_plan import RoundPlan, plan_round
from assets.round_starts import starts_of
from assets.studies import ROUND_TAG, finished_studies, setting_of
from assets.trial_record import TrialRecords
from luthier.errors import LuthierError
from pipelines.jobs import retune
from pipelines.launched_runs import PARTITION, launch_overrides
from pipelines.results import newest
from resources.artifact_store import Artifact, ArtifactStore, recorded_value
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking


def join_study(
    recipe: str, instance: dg.DagsterInstance, book: RecipeBook, artifacts: ArtifactStore, tracking: Tracking
) -> str:
    """Runs trials of the recipe's study until its budget is used up; says what ended it.

    Raises:
        LuthierError: no study of the recipe is under way.
    """
    from luthier.tuning.study import RunningStudy

    run = run_under_way(recipe, instance)
    plan = plan_of(run, recipe, instance, book, artifacts)
    records = TrialRecords(tracking, run.run_id, recipe, plan.number)
    return RunningStudy(plan.tuning(starts_of(plan, tracking), records.opened)).work()


def run_under_way(recipe: str, instance: dg.DagsterInstance) -> dg.DagsterRun:
    """The run that the study belongs to, once its round is known."""
    started = dg.RunsFilter(job_name=retune.name, tags={PARTITION: recipe}, statuses=[dg.DagsterRunStatus.STARTED])
    for run in instance.get_runs(started, limit=1):
        if ROUND_TAG in run.tags:
            return run
    remedy = f"begin one: luthier tune {recipe}; its first line of progress says when it can be joined"
    raise LuthierError("no study is under way", where=f"recipe {recipe}", remedy=remedy)


def plan_of(
    run: dg.DagsterRun, recipe: str, instance: dg.DagsterInstance, book: RecipeBook, artifacts: ArtifactStore
) -> RoundPlan:
    """The plan that the run itself made: from the same artifacts and the values it was launched with."""
    from luthier.training.hyperparameters import suited_to_base

    launched = RecipeBook(folder=book.folder, overrides=launch_overrides(run))
    splits, base, quantized = (
        _materialized(name, recipe, instance, artifacts) for name in ("cleaned_splits", "base_model", "quantized_model")
    )
    resolved = suited_to_base(launched.get(recipe), base.facts)
    setting, number = setting_of(resolved, splits, base), int(run.tags[ROUND_TAG])
    finished = finished_studies(instance, recipe, setting, artifacts)
    before = [study for study in finished if study.result.round < number]
    found = report_findings(instance, recipe, splits, artifacts)
    return plan_round(resolved, number, setting, before, splits, base, quantized, artifacts, found)


def _materialized(asset: str, recipe: str, instance: dg.DagsterInstance, artifacts: ArtifactStore) -> Artifact:
    record = newest(instance, asset, recipe)
    assert record is not None, f"a run of {retune.name} reads {asset}"
    return artifacts.open(asset, recorded_value(record, "digest"))
