"""The closed loop with the real daemon: one click, and then nothing is touched until it says that it has ended."""

import itertools
import json
import random
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.loop_history import evaluations
from resources.artifact_store import ArtifactStore, recorded_value
from resources.tracking import Tracking

LAUNCH = """
mutation($launched: ExecutionParams!) { launchRun(executionParams: $launched) {
  __typename ... on PythonError { message } ... on RunConfigValidationInvalid { errors { message } } } }
"""
LEARNABLE = "{trials: 3, rounds: 2, space: {learning_rate: {low: 1.0e-3, high: 1.0e-2, log: true}}}"
HOPELESS = "{trials: 2, rounds: 2, min_improvement: null, space: {learning_rate: [1.0e-5, 1.0e-4]}}"
TIMID = "{epochs: 4, batch_size: 16, max_length: 16, learning_rate: 1.0e-5, threads: 1, early_stopping: {patience: 20}}"
WAIT_SECONDS = 400
TELL = "import json, sys; print(json.dumps(json.load(sys.stdin)), file=open('told.jsonl', 'a'))"


def finetune(page: str, recipe: str) -> None:
    """What the button "Materialize all" of the job's page does."""
    launched = {
        "selector": {
            "repositoryLocationName": "luthier",
            "repositoryName": "__repository__",
            "jobName": "finetune",
        },
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": recipe}]},
        "runConfigData": {},
    }
    body = json.dumps({"query": LAUNCH, "variables": {"launched": launched}}).encode()
    request = urllib.request.Request(f"{page}/graphql", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["data"]["launchRun"]["__typename"] == "LaunchRunSuccess"


def ends(instance: dg.DagsterInstance) -> dict[str, dict[str, Any]]:
    """What was said of loops that ended, by recipe."""
    records = instance.fetch_observations(dg.AssetKey("evaluation_report"), limit=100).records
    said = [record.asset_observation for record in records]
    assert len({observed.partition for observed in said}) == len(said), "an end was said twice"
    return {o.partition: {name: value.value for name, value in o.metadata.items()} for o in said}


def told(project: Path) -> list[dict[str, Any]]:
    """The messages that the recipes' own command was given."""
    file = project / "told.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def runs_of(instance: dg.DagsterInstance, recipe: str) -> list[dg.DagsterRun]:
    """Oldest first."""
    return list(instance.get_runs(dg.RunsFilter(tags={"dagster/partition": recipe})))[::-1]


def training_times(instance: dg.DagsterInstance) -> list[tuple[float, float]]:
    """When steps that train ran, of all runs."""
    found = []
    for run in instance.get_runs():
        steps = {stats.step_key: stats for stats in instance.get_run_step_stats(run.run_id)}
        found += [
            (steps[name].start_time, steps[name].end_time) for name in ("adapter", "tuning_study") if name in steps
        ]
    return sorted(found)


@pytest.fixture
def ended(project: Path, tiny_bert: Path, write_recipe, serve: Callable[[], Any]) -> Path:
    """The home of a project in which both loops have ended."""
    rows = (project / "reviews.csv").read_text().splitlines()
    labels, generator = [row.split(",")[1] for row in rows[1:]], random.Random(3)
    generator.shuffle(labels)
    shuffled = [
        f"{n},{label},{row.split(',', 2)[2]}" for n, (label, row) in enumerate(zip(labels, rows[1:], strict=True))
    ]
    (project / "noise.csv").write_text("\n".join([rows[0], *shuffled]))
    write_recipe(
        "tiny",
        base=tiny_bert,
        method="{kind: full}",
        training=TIMID,
        evaluation="{metric: accuracy, target: 0.8}",
        tuning=LEARNABLE,
        on_failure=json.dumps({"command": [sys.executable, "-c", TELL]}),
    )
    write_recipe(
        "tiny-full",
        base=tiny_bert,
        method="{kind: full}",
        data='{source: noise.csv, columns: {text: text, label: "sentiment > 0"}, labels: [bad, good]}',
        training=TIMID,
        evaluation="{metric: accuracy, target: 1.0}",
        tuning=HOPELESS,
        on_failure=json.dumps({"command": [sys.executable, "-c", TELL]}),
    )
    pages = serve()
    for recipe in ("tiny", "tiny-full"):
        finetune(pages.dagster, recipe)
    deadline = time.monotonic() + WAIT_SECONDS
    with dg.DagsterInstance.from_config(str(project / "home" / "dagster")) as instance:
        while len(ends(instance)) < 2 or len(told(project)) < 2:
            assert pages.process.poll() is None and time.monotonic() < deadline, ends(instance)
            time.sleep(0.5)
    return project / "home"


def test_a_short_result_is_tuned_and_deployed_and_a_hopeless_one_ends_at_its_cap(ended):
    with dg.DagsterInstance.from_config(str(ended / "dagster")) as instance:
        said = ends(instance)
        assert {recipe: told["loop ended"] for recipe, told in said.items()} == {
            "tiny": "target met",
            "tiny-full": "rounds used up",
        }
        messages = {message["recipe"]: message for message in told(ended.parent)}
        assert len(messages) == len(told(ended.parent)) == 2
        assert messages["tiny"]["what"] == "the loop has ended: target met"
        assert messages["tiny-full"]["what"] == "the loop has ended: rounds used up"
        assert "not met after 2 of 2 rounds" in messages["tiny-full"]["why"]
        assert [run.job_name for run in runs_of(instance, "tiny")] == ["finetune", "retune"]
        assert [run.job_name for run in runs_of(instance, "tiny-full")] == ["finetune", "retune", "retune"]
        assert [run.tags.get("luthier/round") for run in runs_of(instance, "tiny-full")] == [None, "1", "2"]
        assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
        first, better = evaluations(instance, "tiny")
        assert (first.verdict, better.verdict) == ("short", "met")
        assert better.validation > first.validation
        deployed = instance.fetch_materializations(dg.AssetKey("deployed_artifact"), limit=5).records
        assert [record.partition_key for record in deployed] == ["tiny"]
        made = ArtifactStore(home=str(ended)).open("deployed_artifact", recorded_value(deployed[0], "digest"))
        assert made.manifest["inputs"]["evaluation_report"] == better.report
        times = training_times(instance)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(times))
    tracking = Tracking(home=str(ended))
    assert tracking.champion("tiny") == "1"
    assert tracking.champion("tiny-full") is None
    client = tracking.store.client
    experiments = {found.experiment_id: found.name for found in client.search_experiments()}
    runs = client.search_runs(list(experiments))
    loops = {(experiments[r.info.experiment_id], end) for r in runs if (end := r.data.tags.get("luthier.loop"))}
    assert loops == {("tiny", "target met"), ("tiny-full", "rounds used up")}
    trials = [run for run in runs if "luthier.trial" in run.data.tags]
    assert all(run.data.tags["mlflow.parentRunId"] for run in trials)
    assert sorted(run.data.tags["luthier.round"] for run in trials) == ["1"] * 5 + ["2"] * 2
