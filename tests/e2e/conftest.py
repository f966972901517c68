"""The real servers on free ports, as `luthier ui` starts them."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

START_SECONDS = 180


@dataclass(frozen=True)
class Pages:
    dagster: str
    mlflow: str
    process: subprocess.Popen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_served(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "luthier ui ended"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            continue
    raise AssertionError(f"{url} is not served")


@pytest.fixture(autouse=True)
def eager_sensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sensors look every second."""
    monkeypatch.setenv("LUTHIER_SENSOR_SECONDS", "1")


@pytest.fixture
def serve() -> Iterator[Callable[[], Pages]]:
    """Starts the servers over the recipes that are there by then; they end with the test."""
    started: list[subprocess.Popen] = []

    def start() -> Pages:
        ports = free_port(), free_port()
        command = [sys.executable, "-c", "from pipelines.cli import main; main()", "ui"]
        command += ["--dagster-port", str(ports[0]), "--mlflow-port", str(ports[1])]
        process = subprocess.Popen(command, env=os.environ, start_new_session=True)
        started.append(process)
        found = Pages(f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}", process)
        wait_until_served(f"{found.dagster}/server_info", process)
        wait_until_served(f"{found.mlflow}/health", process)
        return found

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        process.wait()
