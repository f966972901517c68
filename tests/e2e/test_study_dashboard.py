"""optuna-dashboard on the database of studies: a real server, asked over its API."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from tests.conftest import needed_or_skipped

START_SECONDS = 120
STUDY = "reviews-1-<b>abc</b>"


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The address of a database with one study: two trials complete, one pruned."""
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name=STUDY, storage=url, direction="maximize")

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("training.learning_rate", 1e-5, 1e-2, log=True)
        trial.report(rate, 50)
        if trial.number == 2:
            raise optuna.TrialPruned
        return rate

    study.optimize(objective, n_trials=3)
    return url


@pytest.fixture
def dashboard(database: str) -> Iterator[str]:
    program = Path(sys.executable).with_name("optuna-dashboard")
    needed_or_skipped(program.is_file(), "optuna-dashboard is not installed: pip install optuna-dashboard")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([program, database, "--host", "127.0.0.1", "--port", str(port)])
    try:
        yield served(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait()


def served(address: str, process: subprocess.Popen) -> str:
    """The address, once something answers there."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "optuna-dashboard ended"
        try:
            with urllib.request.urlopen(f"{address}/api/meta", timeout=5):
                return address
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            continue
    raise AssertionError(f"{address} is not served")


def asked(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.load(answer)


def test_the_dashboard_lists_the_study_and_its_trials(dashboard: str) -> None:
    (listed,) = asked(f"{dashboard}/api/studies")["study_summaries"]
    assert (listed["study_name"], listed["directions"]) == (STUDY, ["maximize"])
    study = asked(f"{dashboard}/api/studies/{listed['study_id']}")
    assert [trial["state"] for trial in study["trials"]] == ["Complete", "Complete", "Pruned"]
    assert {parameter["name"] for trial in study["trials"] for parameter in trial["params"]} == {
        "training.learning_rate"
    }
