"""MLflow away: from the start, and killed while a run goes on. Nothing is lost, nothing comes twice."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from luthier.errors import LuthierError
from resources.tracking import Tracking
from resources.tracking_run import TrackedRun

DAGSTER_RUN = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def mlflow_server(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{home}/server.db", "--artifacts-destination", str(home / "files")]
    server = subprocess.Popen(command, cwd=home, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(port))
        yield server
    finally:
        kill(server)


def kill(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def test_a_server_killed_and_restarted_mid_run_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The server test: two starts of a real one."""
    port = free_port()
    Tracking(home=str(tmp_path), uri=f"sqlite:///{tmp_path}/server.db").prepare()
    tracking = Tracking(home=str(tmp_path), uri=f"http://127.0.0.1:{port}")
    with ExitStack() as servers:
        server = servers.enter_context(mlflow_server(tmp_path, port))
        with training(tracking) as run:
            for step in range(50):
                run.log_metrics({"loss": step}, step=step)
            run_id = run.mlflow_run_id
            assert run_id is not None
            wait_for(lambda: len(tracking.store.client.get_metric_history(run_id, "loss")) == 50)
            kill(server)
            for step in range(50, 100):
                run.log_metrics({"loss": step}, step=step)
            wait_for(lambda: (tracking.store.folder / "unreachable").exists())
            servers.enter_context(mlflow_server(tmp_path, port))
            for step in range(100, 150):
                run.log_metrics({"loss": step}, step=step)
            run.log_text("text", "notes/a.txt")
        client = tracking.store.client
        history = client.get_metric_history(run_id, "loss")
        runs = client.search_runs([client.get_experiment_by_name("reviews").experiment_id])
        files = [file.path for file in client.list_artifacts(run_id, "notes")]
        assert client.get_run(run_id).info.status == "FINISHED"
    assert [metric.step for metric in history] == list(range(150))
    assert len(runs) == 2
    assert files == ["notes/a.txt"]


def test_an_outage_from_the_start_is_told_once_and_synced_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "luthier.tracking")
    away = Tracking(home=str(tmp_path), uri=f"http://person:secret@127.0.0.1:{free_port()}")
    with away.parent(DAGSTER_RUN, "reviews") as parent:
        parent.log_params({"seed": 17})
        parent.log_text("task: x", "recipe.yaml")
    with pytest.raises(ValueError, match="stop"), training(away) as run:
        for step in range(30):
            run.log_metrics({"loss": step}, step=step)
        raise ValueError("stop")
    assert run.mlflow_run_id is None
    assert "not reached" in str(run.link().value)
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "luthier sync" in warning and "records are kept" in warning and "secret" not in warning
    assert away.sync_all().problem

    back = Tracking(home=str(tmp_path))
    report = back.sync_all()
    assert (len(report.sent), report.kept, report.problem) == (2, (), None)
    client = back.store.client
    runs = client.search_runs([client.get_experiment_by_name("reviews").experiment_id])
    (nested,) = (run for run in runs if run.info.run_name == "training")
    (stored,) = (run for run in runs if run.info.run_name != "training")
    assert nested.info.status == "FAILED"
    assert nested.data.tags["mlflow.parentRunId"] == stored.info.run_id
    assert [m.step for m in client.get_metric_history(nested.info.run_id, "loss")] == list(range(30))
    assert stored.data.params == {"seed": "17"}
    assert [file.path for file in client.list_artifacts(stored.info.run_id)] == ["recipe.yaml"]
    assert back.sync_all().sent == ()
    assert not list(back.store.folder.glob("*.jsonl")) + list(back.store.folder.glob("*.files"))


def training(tracking: Tracking) -> AbstractContextManager[TrackedRun]:
    return tracking.run(asset="adapter", name="training", dagster_run_id=DAGSTER_RUN, recipe="reviews")


def test_a_server_that_never_answers_delays_the_end_by_the_patience_only(tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        port = deaf.getsockname()[1]
        tracking = Tracking(home=str(tmp_path), uri=f"http://127.0.0.1:{port}", patience=0.1)
        with training(tracking) as run:
            run.log_metrics({"loss": 1.0})
    assert run.mlflow_run_id is None
    assert len(list(tracking.store.folder.glob("*.jsonl"))) == 1


def test_the_registry_says_what_is_unreachable_and_the_remedy(tmp_path: Path) -> None:
    away = Tracking(home=str(tmp_path), uri=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(LuthierError, match="unreachable") as error:
        away.champion("reviews")
    assert error.value.remedy
