"""Runs whose process died: closed in MLflow and in Dagster, while live ones stay open."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import dagster as dg
import psutil
import pytest

from resources.tracking import Tracking
from resources.tracking_process import ProcessIdentity, process_tags

RECIPE = "reviews"


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return Tracking(home=str(tmp_path / "home"))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


@dg.op
def nothing() -> None:
    pass


@dg.job
def work() -> None:
    nothing()


def dagster_run(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, tags: dict[str, str] | None = None, **more: str
) -> str:
    return instance.create_run_for_job(work, status=status, tags=tags, **more).run_id


def statuses(tracking: Tracking) -> dict[str, str]:
    client = tracking.store.client
    runs = client.search_runs([client.get_experiment_by_name(RECIPE).experiment_id])
    return {"parent" if "mlflow.parentRunId" not in r.data.tags else r.info.run_name: r.info.status for r in runs}


def work_for_ever(home: str, dagster_run_id: str, started: Connection) -> None:
    tracking = Tracking(home=home)
    with tracking.run(asset="adapter", name="training", dagster_run_id=dagster_run_id, recipe=RECIPE) as run:
        run.log_metrics({"loss": 1.0})
        started.send(run.mlflow_run_id)
        signal.pause()


def killed_training(tracking: Tracking, dagster_run_id: str) -> int:
    """Leaves what a training leaves that was killed with SIGKILL, and says which process it was."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work_for_ever, args=(tracking.home, dagster_run_id, there))
    process.start()
    assert here.recv()
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return process.pid


def left_open(tracking: Tracking, dagster_run_id: str, **tags: str) -> None:
    """Runs that are RUNNING in MLflow and have no journal any more."""
    parent = tracking._start(dagster_run_id, RECIPE, tags={f"luthier.{key}": value for key, value in tags.items()})
    nested_tags = {f"luthier.{key}": value for key, value in tags.items()}
    tracking.store.obtain_run(
        tracking._start(dagster_run_id, RECIPE, asset="adapter", name="training", tags=nested_tags, parent=parent)
    )


def a_dead_process() -> dict[str, str]:
    process = subprocess.Popen([sys.executable, "-c", ""])
    started = psutil.Process(process.pid).create_time()
    process.wait()
    return {"pid": str(process.pid), "process_started": f"{started:.2f}"}


@pytest.mark.parametrize(
    ("dagster", "parent", "nested"),
    [("SUCCESS", "FINISHED", "KILLED"), ("FAILURE", "FAILED", "FAILED"), ("CANCELED", "KILLED", "KILLED")],
)
def test_ends_follow_dagster(
    tracking: Tracking, instance: dg.DagsterInstance, dagster: str, parent: str, nested: str
) -> None:
    run_id = dagster_run(instance, dg.DagsterRunStatus(dagster))
    left_open(tracking, run_id, **a_dead_process())
    closed = tracking.reconcile(instance)
    assert statuses(tracking) == {"parent": parent, "training": nested}
    assert {(c.where, c.status) for c in closed} == {("mlflow", parent), ("mlflow", nested)}
    assert tracking.reconcile(instance) == []


def test_a_killed_training_ends_killed_and_its_dagster_run_fails(
    tracking: Tracking, instance: dg.DagsterInstance
) -> None:
    run_id = dagster_run(instance, dg.DagsterRunStatus.STARTED, {"luthier/pid": "0", "luthier/process_started": "0"})
    killed_training(tracking, run_id)
    assert statuses(tracking) == {"parent": "RUNNING", "training": "RUNNING"}
    tracking.reconcile(instance)
    run = instance.get_run_by_id(run_id)
    assert run and run.status == dg.DagsterRunStatus.FAILURE
    assert statuses(tracking) == {"parent": "KILLED", "training": "KILLED"}
    assert not list(tracking.store.folder.glob("*.jsonl"))


def test_sync_alone_closes_a_killed_training_too(tracking: Tracking) -> None:
    killed_training(tracking, "unknown")
    tracking.sync_all()
    assert statuses(tracking)["training"] == "KILLED"


def test_a_killed_step_of_a_run_that_goes_on_ends_killed(tracking: Tracking, instance: dg.DagsterInstance) -> None:
    run_id = dagster_run(instance, dg.DagsterRunStatus.STARTED, process_tags("/"))
    killed_training(tracking, run_id)
    tracking.reconcile(instance)
    assert statuses(tracking) == {"parent": "RUNNING", "training": "KILLED"}


def test_what_is_alive_stays_open(tracking: Tracking, instance: dg.DagsterInstance) -> None:
    run_id = dagster_run(instance, dg.DagsterRunStatus.STARTED, process_tags("/"))
    with tracking.run(asset="adapter", name="training", dagster_run_id=run_id, recipe=RECIPE) as run:
        assert run.mlflow_run_id
        assert tracking.reconcile(instance) == []
        assert statuses(tracking) == {"parent": "RUNNING", "training": "RUNNING"}
    assert statuses(tracking) == {"parent": "RUNNING", "training": "FINISHED"}


def test_a_run_that_dagster_does_not_know_is_killed(tracking: Tracking, instance: dg.DagsterInstance) -> None:
    left_open(tracking, "unknown", **a_dead_process())
    tracking.reconcile(instance)
    assert statuses(tracking) == {"parent": "KILLED", "training": "KILLED"}


@pytest.mark.parametrize("foreign", [{"host": "another"}, {"home": "/another"}])
def test_runs_of_others_are_left_alone(
    tracking: Tracking, instance: dg.DagsterInstance, foreign: dict[str, str]
) -> None:
    left_open(tracking, "unknown", **(a_dead_process() | foreign))
    assert tracking.reconcile(instance) == []
    assert statuses(tracking) == {"parent": "RUNNING", "training": "RUNNING"}


def test_the_executing_process_is_read_from_dagsters_own_events(
    tracking: Tracking, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """A real run, executed by another process that is killed within a step; no tag says which."""
    code = tmp_path / "graph.py"
    code.write_text(ENDLESS)
    with subprocess.Popen(
        [sys.executable, str(code), json.dumps(str(tmp_path))], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        run_id = process.stdout.readline().strip()
        assert tracking.reconcile(instance) == []
        process.kill()
    (closed,) = tracking.reconcile(instance)
    assert (closed.where, closed.run_id) == ("dagster", run_id)
    run = instance.get_run_by_id(run_id)
    assert run and run.status == dg.DagsterRunStatus.FAILURE


ENDLESS = """
import json, signal, sys
import dagster as dg

@dg.op
def endless(context):
    print(context.run_id, flush=True)
    signal.pause()

@dg.job
def work():
    endless()

with dg.DagsterInstance.local_temp(json.loads(sys.argv[1])) as instance:
    work.execute_in_process(instance=instance)
"""


def test_a_reexecution_is_not_judged_by_the_tags_it_inherited(tracking: Tracking, instance: dg.DagsterInstance) -> None:
    dead = {f"luthier/{name}": value for name, value in a_dead_process().items()}
    first = dagster_run(instance, dg.DagsterRunStatus.SUCCESS, dead)
    again = dagster_run(instance, dg.DagsterRunStatus.STARTED, dead, parent_run_id=first, root_run_id=first)
    assert tracking.reconcile(instance) == []
    run = instance.get_run_by_id(again)
    assert run and run.status == dg.DagsterRunStatus.STARTED


def test_a_number_used_again_is_another_process() -> None:
    me = psutil.Process()
    assert ProcessIdentity(me.pid, started=me.create_time()).alive()
    assert not ProcessIdentity(me.pid, started=me.create_time() - 60).alive()
    assert ProcessIdentity(me.pid, seen=me.create_time() + 60).alive()
    assert not ProcessIdentity(me.pid, seen=me.create_time() - 60).alive()
