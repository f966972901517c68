"""A run and what MLflow then holds of it, on a local database."""

import json
import math
import multiprocessing
import shutil
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from dagster._core.errors import DagsterExecutionInterruptedError
from filelock import FileLock

from resources.journal import read_records, read_start
from resources.sync_delivery import deliver
from resources.tracking import Tracking
from resources.tracking_run import valid_name

DAGSTER_RUN = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return Tracking(home=str(tmp_path / "a home"))


def training(tracking: Tracking, recipe: str = "reviews", **arguments: Any) -> Any:
    return tracking.run(asset="adapter", name="training", dagster_run_id=DAGSTER_RUN, recipe=recipe, **arguments)


def journals(tracking: Tracking) -> list[Path]:
    return list(tracking.store.folder.glob("*.jsonl"))


def test_what_is_logged_is_what_mlflow_holds(tracking: Tracking, tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.mkdir()
    (report / "page.html").write_text("<p>")
    with training(tracking, tags={"luthier.digest": "abc"}) as run:
        run.log_params({"r": 8, "modules": ["q", "v"]})
        for step in range(1300):
            run.log_metrics({"loss": 1 / (step + 1)}, step=step, timestamp=1000 + step)
        run.log_dataset("train", "d" * 64, "wheel://x", "training")
        run.log_artifact(report, "evaluation")
        run.log_text("task: x", "recipe.yaml")
        shutil.rmtree(report)
    client = tracking.store.client
    stored = client.get_run(run.mlflow_run_id)
    assert stored.info.status == "FINISHED"
    assert stored.data.params == {"r": "8", "modules": "['q', 'v']"}
    history = client.get_metric_history(stored.info.run_id, "loss")
    assert [(m.step, m.timestamp, m.value) for m in history] == [(i, 1000 + i, 1 / (i + 1)) for i in range(1300)]
    dataset = stored.inputs.dataset_inputs[0]
    assert dataset.dataset.digest == "d" * 36
    assert json.loads(dataset.dataset.profile) == {"digest": "d" * 64}
    assert dataset.tags[0].value == "training"
    assert [f.path for f in client.list_artifacts(stored.info.run_id, "evaluation/report")] == [
        "evaluation/report/page.html"
    ]
    assert Path(client.download_artifacts(stored.info.run_id, "recipe.yaml")).read_text() == "task: x"
    assert {"luthier.digest": "abc", "luthier.recipe": "reviews", "luthier.asset": "adapter"}.items() <= (
        stored.data.tags.items()
    )
    assert stored.data.tags["luthier.dagster_url"].endswith(f"/runs/{DAGSTER_RUN}")
    assert DAGSTER_RUN in stored.data.tags["mlflow.note.content"]
    assert client.get_experiment(stored.info.experiment_id).name == "reviews"
    assert tracking.link_to(stored.info.run_id) == run.link()
    assert journals(tracking) == []


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (ValueError, "FAILED"),
        (KeyboardInterrupt, "KILLED"),
        (DagsterExecutionInterruptedError, "KILLED"),
        (SystemExit, "KILLED"),
    ],
)
def test_a_run_ends_as_the_work_ended(tracking: Tracking, raised: type[BaseException], status: str) -> None:
    with pytest.raises(raised), training(tracking) as run:
        raise raised
    assert tracking.store.client.get_run(run.mlflow_run_id).info.status == status


def test_the_parent_is_one_run_however_often_it_is_opened(tracking: Tracking) -> None:
    with tracking.parent(DAGSTER_RUN, "reviews") as first:
        first.log_params({"seed": 17})
    with training(tracking) as nested, tracking.parent(DAGSTER_RUN, "reviews") as second:
        second.set_tags({"later": "yes"})
    client = tracking.store.client
    parent = client.get_run(first.mlflow_run_id)
    assert second.mlflow_run_id == first.mlflow_run_id
    assert client.get_run(nested.mlflow_run_id).data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert (parent.info.run_name, parent.info.status) == ("reviews 0f8fad5b", "RUNNING")
    assert parent.data.params == {"seed": "17"}
    assert parent.data.tags["later"] == "yes"


def test_a_long_parameter_is_cut_visibly_and_kept_whole(tracking: Tracking) -> None:
    with training(tracking) as run:
        run.log_params({"labels": "x" * 7000})
    client = tracking.store.client
    assert client.get_run(run.mlflow_run_id).data.params["labels"] == "x" * 5999 + "…"
    whole = client.download_artifacts(run.mlflow_run_id, "long_params/labels.txt")
    assert Path(whole).read_text() == "x" * 7000


def test_no_value_and_no_name_stops_a_run(tracking: Tracking) -> None:
    with training(tracking) as run:
        run.log_metrics({"f1(macro)": math.nan, "big": math.inf, "/a//b/../c\n": 1, "<script>": 2, "": 3})
        run.log_metrics({"word": "none", "nothing": None, "good": True})
        run.log_params({"same": 1})
        run.log_params({"same": 2, "other (x)": None})
        run.set_tags({"<t>": "y" * 9000})
        run.log_artifact(Path("/nowhere/at/all"))
    run.log_metrics({"late": 1})
    stored = tracking.store.client.get_run(run.mlflow_run_id)
    assert math.isnan(stored.data.metrics["f1_macro_"])
    assert stored.data.metrics["big"] > 1e308
    assert {name: stored.data.metrics[name] for name in ("a/b/c_", "_script_", "unnamed", "good")} == {
        "a/b/c_": 1,
        "_script_": 2,
        "unnamed": 3,
        "good": 1,
    }
    assert stored.data.params == {"same": "1", "other _x_": "None"}
    assert len(stored.data.tags["_t_"]) == 8000
    assert stored.info.status == "FINISHED"


@pytest.mark.parametrize("name", ["", ".", "..", "/", "a/./b", "ok", "x" * 300, "é/ü", "tab\t", "a" * 249 + "/b"])
def test_valid_names_are_valid_to_mlflow(name: str) -> None:
    from mlflow.utils.validation import _validate_metric_name, _validate_param

    _validate_metric_name(valid_name(name))
    _validate_param(valid_name(name), "1")


def test_a_blocked_mlflow_does_not_hold_the_run_up(tracking: Tracking) -> None:
    tracking.store.folder.mkdir(parents=True)
    with FileLock(tracking.store.folder / "mlflow.lock") as blocked, training(tracking) as run:
        for step in range(100):
            run.log_metrics({"loss": 1.0}, step=step)
        (journal,) = journals(tracking)
        assert sum(record["kind"] == "metrics" for record, _ in read_records(journal, 0)) == 100
        blocked.release()
    assert len(tracking.store.client.get_metric_history(run.mlflow_run_id, "loss")) == 100


def test_sending_again_adds_nothing(tracking: Tracking, tmp_path: Path) -> None:
    with training(tracking) as run:
        run.log_params({"r": 8})
        for step, value in enumerate([1.0, math.nan, math.inf, 0.5]):
            run.log_metrics({"loss": value}, step=step)
        run.log_dataset("train", "d" * 64, "x", "training")
        run.log_text("text", "a/b.txt")
        assert run.mlflow_run_id
        (journal,) = journals(tracking)
        copy = tmp_path / "copy.jsonl"
        shutil.copyfile(journal, copy)
        shutil.copytree(journal.with_suffix(".files"), tmp_path / "kept")
    copy.write_text(copy.read_text().replace(str(journal.with_suffix(".files")), str(tmp_path / "kept")))
    before = everything(tracking, run.mlflow_run_id)
    assert before[0][1] == [0, 1, 2, 3]
    store = tracking.store
    deliver(copy, store.obtain_run(read_start(copy)), store)
    assert everything(tracking, run.mlflow_run_id) == before


def everything(tracking: Tracking, run_id: str) -> list[Any]:
    client = tracking.store.client
    run = client.get_run(run_id)
    steps = sorted(metric.step for metric in client.get_metric_history(run_id, "loss"))
    files = [file.path for file in client.list_artifacts(run_id, "a")]
    names = [(len(i.tags), i.dataset.digest) for i in run.inputs.dataset_inputs]
    runs = len(client.search_runs([run.info.experiment_id]))
    return [("loss", steps), run.data.params, run.data.tags, files, names, runs]


def test_a_forgotten_run_id_creates_no_second_run(tracking: Tracking) -> None:
    with training(tracking) as run:
        assert run.mlflow_run_id
        for file in tracking.store.folder.glob("*.run"):
            file.unlink()
        (journal,) = journals(tracking)
        assert tracking.store.obtain_run(read_start(journal)).run_id == run.mlflow_run_id


def test_a_torn_last_line_costs_only_itself(tracking: Tracking) -> None:
    with training(tracking) as run:
        run.log_metrics({"loss": 1.0})
        (journal,) = journals(tracking)
        copy = journal.with_name("torn.txt")
        copy.write_bytes(journal.read_bytes() + b'{"kind": "metri')
    kinds = [record["kind"] for record, _ in read_records(copy, 0)]
    assert kinds == ["start", "metrics"]


def test_the_environment_wins_over_the_field(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracking.tracking_uri == f"sqlite:///{tracking.home}/mlflow.db"
    assert Tracking(home=tracking.home, uri="http://x").tracking_uri == "http://x"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://y")
    assert Tracking(home=tracking.home, uri="http://x").tracking_uri == "http://y"


def one_step(home: str, number: int, barrier: Barrier) -> None:
    tracking = Tracking(home=home, patience=120)
    barrier.wait(120)
    with tracking.run(asset=f"asset{number}", name="training", dagster_run_id=DAGSTER_RUN, recipe="reviews") as run:
        run.log_metrics({"number": number})
    store = tracking.store
    assert store.client
    barrier.wait(120)
    store.obtain_run(tracking._start(DAGSTER_RUN, "another"))


def test_processes_that_start_together_on_a_fresh_home_share_one_parent(tracking: Tracking) -> None:
    count = 6
    start_all(one_step, tracking.home, count)
    client = tracking.store.client
    experiment = client.get_experiment_by_name("reviews")
    runs = client.search_runs([experiment.experiment_id])
    nested = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    (parent,) = (run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    assert {run.data.tags["mlflow.parentRunId"] for run in nested} == {parent.info.run_id}
    assert sorted(run.data.metrics["number"] for run in nested) == list(range(count))
    assert {run.info.status for run in nested} == {"FINISHED"}
    another = client.get_experiment_by_name("another")
    assert len(client.search_runs([another.experiment_id])) == 1


def start_all(target: Callable[..., None], home: str, count: int) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(count)
    processes = [context.Process(target=target, args=(home, number, barrier)) for number in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * count
