"""The real sensor daemon, killed at the moments before and after deciding, launching and recording."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from resources.home import PROJECT

NAMES = [f"recipe-{number}" for number in range(10)]


def report(instance: dg.DagsterInstance, recipe: str, *, number: int = 0) -> None:
    """Records an evaluation that falls short, as the asset would."""
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            "evaluation_report",
            partition=recipe,
            metadata={
                "digest": f"{recipe}-report",
                "data": "splits",
                "round": number,
                "validation score": 0.5,
                "verdict": "short",
                "summary": "Short.",
            },
        )
    )


def tick(moment: str | None = None) -> int:
    """Ticks in a process of its own, three of them or until it is killed; its exit code."""
    command = [sys.executable, "-m", "tests.e2e.sensor_tick", *([moment] if moment else [])]
    # Not a pipe: a code server that outlives its daemon for a while would keep it open.
    return subprocess.run(command, cwd=PROJECT, check=False, stdout=subprocess.DEVNULL).returncode


@pytest.fixture
def instance(project: Path, tiny_bert: Path, write_recipe, monkeypatch: pytest.MonkeyPatch):
    home = project / "home" / "dagster"
    home.mkdir(parents=True)
    shutil.copy(PROJECT / "dagster.yaml", home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.from_config(str(home)) as found:
        yield found


@pytest.mark.parametrize("moment", ["TICK_CREATED", "TICK_HELD", "RUN_CREATED", "RUN_LAUNCHED"])
def test_a_daemon_killed_at_any_moment_starts_one_run_for_a_report(moment, instance, tiny_bert, write_recipe):
    write_recipe("tiny", base=tiny_bert, tuning="{rounds: 3}")
    report(instance, "tiny")
    assert tick(moment) == -signal.SIGKILL
    assert tick() == 0
    (run,) = instance.get_runs()
    assert run.job_name == "retune"
    assert (run.tags["dagster/partition"], run.tags["luthier/round"]) == ("tiny", "1")


def test_ten_recipes_that_fall_short_at_once_start_ten_runs_and_no_more(instance, tiny_bert, write_recipe):
    for name in NAMES:
        write_recipe(name, base=tiny_bert, tuning="{rounds: 3}")
        report(instance, name)
    assert tick() == 0
    runs = instance.get_runs()
    assert sorted(run.tags["dagster/partition"] for run in runs) == NAMES
    assert {run.status for run in runs} == {dg.DagsterRunStatus.QUEUED}


def test_a_bad_recipe_stands_in_nobodys_way(instance, tiny_bert, write_recipe, project):
    for name in NAMES[:2]:
        write_recipe(name, base=tiny_bert, tuning="{rounds: 3}")
        report(instance, name)
    (project / "recipes" / f"{NAMES[0]}.yaml").write_text("task: nothing\ntuning: {rounds: 3}\n")
    assert tick() == 0
    assert [run.tags["dagster/partition"] for run in instance.get_runs()] == NAMES[1:2]
