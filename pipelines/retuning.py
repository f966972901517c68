"""The sensor that closes the loop: a report that falls short leads to a round of tuning, or to a reason why not."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from assets.loop_history import Evaluation, evaluations
from assets.partitions import recipe_partitions
from assets.studies import DATA_TAG, REPORT_TAG, ROUND_TAG
from luthier.errors import LuthierError
from luthier.recipe.resolving import ResolvedRecipe
from luthier.tasks.metric import METRICS
from luthier.tuning.loop import DATA_CHANGED, Attempt, Step, next_step
from pipelines.jobs import retune
from pipelines.launched_runs import PARTITION, launch_overrides, triggered, unfinished_run
from resources.home import sensor_seconds
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking

OBSERVED = 20


@dataclass(frozen=True)
class Decision:
    """What follows from the newest report of a recipe. ``abandoned`` is the last one on other data, if it fell short
    and rounds had begun.
    """

    report: Evaluation
    step: Step
    abandoned: Evaluation | None


@dg.sensor(
    job=retune,
    minimum_interval_seconds=sensor_seconds(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a round of tuning for each recipe whose newest report falls short, or says why it does not.",
)
def retune_on_shortfall(
    context: dg.SensorEvaluationContext, recipes: RecipeBook, tracking: Tracking
) -> dg.SensorResult | dg.SkipReason:
    """All it knows is what Dagster recorded, so that a crash or a second tick changes nothing."""
    requests, said = [], []
    for name in recipe_partitions.get_partition_keys():
        try:
            decision = decide(recipes.get(name), context.instance)
        except LuthierError as error:
            said.append(f"{name}: {str(error).splitlines()[0]}")
            continue
        if isinstance(decision, str):
            said.append(f"{name}: {decision}")
            continue
        if decision.abandoned is not None:
            record_end(name, decision.abandoned, DATA_CHANGED, context.instance, tracking)
        if decision.step.round is not None:
            requests.append(request(name, decision))
        else:
            record_end(name, decision.report, decision.step, context.instance, tracking)
            said.append(f"{name}: {decision.step.because}")
    if requests:
        return dg.SensorResult(run_requests=requests)
    return dg.SkipReason("\n".join(said) or "no recipe")


def decide(resolved: ResolvedRecipe, instance: dg.DagsterInstance) -> Decision | str:
    """What follows from the newest report, or why nothing does just now."""
    tuning, name = resolved.recipe.tuning, resolved.name
    if not tuning.automatic:
        return "starts no tuning by itself"
    found = evaluations(instance, name)
    if not found:
        return "no report yet"
    if unfinished_run(instance, name):
        return "a run is queued or under way"
    newest = found[-1]
    run = instance.get_run_by_id(newest.run_id)
    if run is not None and launch_overrides(run):
        return "the newest report is of a run with values given at launch, which is nobody's recipe"
    metric = METRICS[resolved.recipe.evaluation.metric]
    tried = attempts(instance, name, [each for each in found if each.data == newest.data])
    step = next_step(
        tuning,
        tried,
        met=newest.verdict == "met",
        higher_is_better=metric.higher_is_better,
        untunable=newest.untunable,
    )
    others = [each for each in found if each.data != newest.data]
    begun = bool(others) and others[-1].verdict != "met" and others[-1].round > 0
    return Decision(newest, step, others[-1] if begun else None)


def attempts(instance: dg.DagsterInstance, recipe: str, found: Sequence[Evaluation]) -> list[Attempt]:
    """The first training on some data and every round since, by number; a round that was retried is one."""
    data = found[-1].data
    records = instance.get_run_records(dg.RunsFilter(job_name=retune.name, tags={PARTITION: recipe, DATA_TAG: data}))
    rounds: dict[int, list[dg.RunRecord]] = {}
    for record in records:
        rounds.setdefault(int(record.dagster_run.tags[ROUND_TAG]), []).append(record)
    scores = {each.round: each.validation for each in found}
    # The first of all: one that came after a round had the values of its study.
    tried = [Attempt(0, next((each.validation for each in found if each.round == 0), None))]
    for number in sorted(rounds):
        newest, *_ = rounds[number]
        seconds = sum(_seconds(record) for record in rounds[number])
        failed = newest.dagster_run.status != dg.DagsterRunStatus.SUCCESS
        tried.append(Attempt(number, scores.get(number), seconds, failed))
    return tried


def request(recipe: str, decision: Decision) -> dg.RunRequest:
    """The run of a round; one that was requested for the same report is not requested again."""
    report = decision.report
    return dg.RunRequest(
        run_key=f"{recipe}/{report.event}",
        partition_key=recipe,
        tags={
            ROUND_TAG: str(decision.step.round),
            DATA_TAG: report.data,
            REPORT_TAG: report.report,
            **triggered("shortfall"),
        },
    )


def record_end(recipe: str, report: Evaluation, step: Step, instance: dg.DagsterInstance, tracking: Tracking) -> None:
    """Says where people look why no round follows: once for each report, as an observation and on its MLflow run."""
    unremarkable = step.end == "target met" and report.round == 0
    if step.end == "not automatic" or unremarkable or is_recorded(recipe, report, instance):
        return
    following = report.following if step.end not in ("target met", "data changed") else None
    with tracking.parent(report.run_id, recipe) as parent:
        parent.set_tags({"luthier.loop": step.end, "luthier.loop_because": step.because})
    instance.report_runless_asset_event(
        dg.AssetObservation(
            "evaluation_report",
            partition=recipe,
            metadata={
                "loop ended": str(step.end),
                "summary": " ".join(filter(None, [step.because, report.summary, following])),
                "report": report.report,
                "report event": report.event,
            },
        )
    )


def is_recorded(recipe: str, report: Evaluation, instance: dg.DagsterInstance) -> bool:
    """Whether the end after this report was said before."""
    recorded = dg.AssetRecordsFilter(asset_key=dg.AssetKey("evaluation_report"), asset_partitions=[recipe])
    for record in instance.fetch_observations(recorded, limit=OBSERVED).records:
        observation = record.asset_observation
        if observation and (told := observation.metadata.get("report event")) and told.value == report.event:
            return True
    return False


def _seconds(record: dg.RunRecord) -> float:
    """How long a run took, if it began and ended."""
    return record.end_time - record.start_time if record.start_time and record.end_time else 0.0
