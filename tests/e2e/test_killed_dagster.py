"""Dagster killed with everything it had started, in the middle of a study, and started again: nothing is touched."""

import time
from pathlib import Path

import dagster as dg
import psutil

from luthier.tuning.report import read_study
from pipelines.results import newest
from resources.artifact_store import recorded_value
from resources.tracking import Tracking
from tests.e2e.conftest import Pages
from tests.e2e.test_loop import WAIT_SECONDS, ends, finetune, runs_of

TRIALS = 6
TUNING = f"{{trials: {TRIALS}, rounds: 1, pruner: none, space: {{learning_rate: {{low: 1.0e-3, high: 1.0e-2}}}}}}"
LONG = (
    "{epochs: 60, batch_size: 16, max_length: 16, learning_rate: 1.0e-6, threads: 1, early_stopping: {patience: 999}}"
)


def kill_with_all_it_started(pages: Pages) -> None:
    """As the kernel or a power cut does: nobody can write anything any more."""
    process = psutil.Process(pages.process.pid)
    found = [process, *process.children(recursive=True)]
    for each in found:
        each.suspend()
    for each in [process, *process.children(recursive=True)]:
        each.kill()
    pages.process.wait()


def trials_begun(home: Path) -> int:
    """Trainings of the study that have made a checkpoint."""
    return len(list(home.glob("work/adapter/*/checkpoint-*")))


def wait_for(condition, pages: Pages) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert pages.process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)


def test_what_was_under_way_is_closed_and_tried_again_and_no_trial_is_lost(project, tiny_bert, write_recipe, serve):
    home = project / "home"
    write_recipe(
        base=tiny_bert,
        method="{kind: full}",
        training=LONG,
        evaluation="{metric: accuracy, target: 0.8}",
        tuning=TUNING,
    )
    pages = serve()
    finetune(pages.dagster, "tiny")
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        wait_for(lambda: len(runs_of(instance, "tiny")) == 2, pages)
        wait_for(lambda: trials_begun(home) > 2, pages)
        kill_with_all_it_started(pages)
        _, killed = runs_of(instance, "tiny")
        assert killed.status == dg.DagsterRunStatus.STARTED
        again = serve()
        wait_for(lambda: bool(ends(instance)), again)
        assert ends(instance)["tiny"]["loop ended"] == "target met"
        first, orphan, retried = runs_of(instance, "tiny")
        assert (orphan.run_id, orphan.status) == (killed.run_id, dg.DagsterRunStatus.FAILURE)
        assert orphan.tags["luthier/orphaned"] == orphan.run_id
        assert retried.parent_run_id == orphan.run_id and retried.is_success and first.is_success
        record = newest(instance, "tuning_study", "tiny")
        found = read_study(home / "artifacts" / "tuning_study" / recorded_value(record, "digest"))
    made = [trial for trial in found.trials if trial.origin != "the recipe" and trial.state != "killed"]
    assert [trial.state for trial in made] == ["complete"] * TRIALS
    client = Tracking(home=str(home)).store.client
    runs = client.search_runs([found.experiment_id for found in client.search_experiments()])
    of_orphan = [run for run in runs if run.data.tags["luthier.dagster_run_id"] == orphan.run_id]
    assert {run.info.status for run in runs if run not in of_orphan} == {"FINISHED"}
    assert "KILLED" in {run.info.status for run in of_orphan} and "RUNNING" not in {run.info.status for run in runs}
