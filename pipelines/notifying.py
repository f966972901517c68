"""Tells people, through the hooks of a recipe's ``on_failure``, of failed runs and of loops that have ended."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import dagster as dg

from luthier.errors import LuthierError
from pipelines.failures import run_failure_text
from pipelines.launched_runs import PARTITION, WILL_RETRY
from resources.artifact_store import RECENT
from resources.home import sensor_seconds
from resources.notifications import Message, declared_hooks, send
from resources.outbox import Delivery, Outbox
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking

REPORT = dg.AssetKey("evaluation_report")
LOOP_ENDED = "loop ended"
TELLING = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.RUN_FAILURE,
}
# An end may be written this much after the time it bears.
LATE_SECONDS = 600.0
# Dagster gives a tick 60 seconds; the last delivery that is started may take 20.
DELIVERY_SECONDS = 25.0
AT_ONCE = 100


@dataclass(frozen=True)
class Position:
    """How far events were read. What ended before ``since``, when the sensor first started, is nobody's news."""

    since: float
    seen: float
    observation: int


@dataclass(frozen=True)
class Event:
    """Something that happened to a recipe; ``name`` tells it from all others."""

    name: str
    message: Message


@dg.sensor(minimum_interval_seconds=sensor_seconds(), default_status=dg.DefaultSensorStatus.RUNNING)
def notify(context: dg.SensorEvaluationContext, recipes: RecipeBook, tracking: Tracking) -> dg.SensorResult:
    """Sends a message for each failed run and each ended loop of a recipe with a section on_failure."""
    outbox = Outbox(Path(tracking.home))
    with outbox.alone() as alone:
        if not alone:
            return dg.SensorResult(skip_reason="another process is sending", cursor=context.cursor)
        before = position(context)
        events, after = new_events(context.instance, before, outbox, tracking.dagster_port)
        said = [problem for event in events if (problem := put_in(event, outbox, recipes))]
        delivery = outbox.deliver(partial(send, folder=recipes.root), seconds=DELIVERY_SECONDS)
    for problem in said:
        context.log.error(problem)
    for failed in delivery.failed:
        (context.log.error if failed.given_up else context.log.warning)(
            f"{failed.recipe}: {failed.kind}: {failed.reason}"
        )
    return dg.SensorResult(skip_reason=summary(delivery, said), cursor=json.dumps(asdict(after)))


def position(context: dg.SensorEvaluationContext) -> Position:
    """Where the last tick stopped; at the first, now."""
    if context.cursor:
        return Position(**json.loads(context.cursor))
    newest = context.instance.fetch_observations(REPORT, limit=1).records
    now = time.time()
    return Position(since=now, seen=now, observation=newest[0].storage_id if newest else 0)


def new_events(
    instance: dg.DagsterInstance, before: Position, outbox: Outbox, port: int
) -> tuple[list[Event], Position]:
    """What happened since, and how far it was read."""
    after = replace(before, seen=time.time())
    events = list(failed_runs(instance, before, outbox, port))
    told = instance.fetch_observations(
        dg.AssetRecordsFilter(asset_key=REPORT, after_storage_id=before.observation), limit=AT_ONCE, ascending=True
    ).records
    if told:
        after = replace(after, observation=told[-1].storage_id)
    return [*events, *ended_loops(instance, told, port)], after


def failed_runs(instance: dg.DagsterInstance, before: Position, outbox: Outbox, port: int) -> Iterator[Event]:
    """The runs of a recipe that have failed and are not in the outbox."""
    earliest = before.seen - LATE_SECONDS
    changed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=datetime.fromtimestamp(earliest, UTC))
    for record in instance.get_run_records(changed, order_by="update_timestamp", ascending=True):
        run, name = record.dagster_run, f"run {record.dagster_run.run_id}"
        recipe = run.tags.get(PARTITION)
        if recipe is None or (record.end_time or 0.0) < max(before.since, earliest) or outbox.knows(name):
            continue
        logged = instance.all_logs(run.run_id, of_type=TELLING)
        why = run_failure_text([entry.dagster_event for entry in logged if entry.dagster_event])
        again = "; Dagster starts it again" if run.tags.get(WILL_RETRY) == "true" else ""
        what = f"a run of {run.job_name} failed{again}"
        yield Event(name, Message(recipe, what, why, run.run_id, page(port, run.run_id)))


def ended_loops(instance: dg.DagsterInstance, told: Sequence[dg.EventLogRecord], port: int) -> Iterator[Event]:
    """The ends among the observations of evaluation_report."""
    for record in told:
        observation = record.asset_observation
        if observation is None or observation.partition is None or LOOP_ENDED not in observation.metadata:
            continue
        said = {name: str(value.value) for name, value in observation.metadata.items()}
        recipe, run_id = observation.partition, reporting_run(instance, observation.partition, said.get("report"))
        what = f"the loop has ended: {said[LOOP_ENDED]}"
        link = page(port, run_id) if run_id else None
        yield Event(f"loop {recipe} {record.timestamp}", Message(recipe, what, said.get("summary", ""), run_id, link))


def reporting_run(instance: dg.DagsterInstance, recipe: str, report: str | None) -> str | None:
    """The run that made a report, or found it made."""
    recorded = dg.AssetRecordsFilter(asset_key=REPORT, asset_partitions=[recipe])
    for record in instance.fetch_materializations(recorded, limit=RECENT).records:
        made = record.asset_materialization
        digest = made.metadata.get("digest") if made else None
        if report is None or (digest is not None and digest.value == report):
            return record.run_id
    return None


def put_in(event: Event, outbox: Outbox, recipes: RecipeBook) -> str | None:
    """Puts the event's messages in the outbox; the reason when nobody can be told."""
    recipe = event.message.recipe
    try:
        outbox.add(event.name, event.message, declared_hooks(recipes.path(recipe)))
    except LuthierError as error:
        outbox.add(event.name, event.message, {})
        return f"{recipe}: {event.message.what}, and nobody is told: {error}"
    return None


def summary(delivery: Delivery, problems: Sequence[str]) -> str:
    """What a tick did, in the tick's own line."""
    tries = [
        f"{failed.recipe}: {failed.kind} {'given up' if failed.given_up else 'is tried again'}: {failed.reason}"
        for failed in delivery.failed
    ]
    sent = f"sent {delivery.sent}" if delivery.sent else ""
    return "; ".join(part for part in (sent, *tries, *problems) if part) or "nothing to tell"


def page(port: int, run_id: str) -> str:
    """A run's page in Dagster."""
    return f"http://127.0.0.1:{port}/runs/{run_id}"
