"""The Dagster and MLflow pages, started and stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from luthier.errors import LuthierError
from resources.home import PROJECT, yield_shared_cores
from resources.tracking import Tracking

STOP_SECONDS = 15.0


def serve(home: Path, *, dagster_port: int, mlflow_port: int, console: Console) -> int:
    """Serves both until one Ctrl-C, or until one of them ends; gives the exit code.

    With a remote MLflow only Dagster is served here.
    """
    tracking = Tracking(home=str(home), dagster_port=dagster_port, mlflow_port=mlflow_port)
    remote = tracking.tracking_uri.startswith("http")
    if not remote:
        tracking.prepare()
    yield_shared_cores()
    environment = {
        **os.environ,
        "LUTHIER_DAGSTER_PORT": str(dagster_port),
        "LUTHIER_MLFLOW_PORT": str(mlflow_port),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    console.print(f"Dagster  http://127.0.0.1:{dagster_port}")
    console.print(f"MLflow   {tracking.store.shown_uri if remote else f'http://127.0.0.1:{mlflow_port}'}")
    servers = [_start(_dagster(dagster_port), environment, home / "dagster" / "server.log")]
    if not remote:
        servers.append(_start(_mlflow(tracking, home, mlflow_port), environment, home / "mlflow.log"))
    console.print("One Ctrl-C stops all that was started here.")
    try:
        while all(server.poll() is None for server in servers):
            time.sleep(0.5)
        console.print(f"A server ended by itself; its log: {home / 'dagster' / 'server.log'}, {home / 'mlflow.log'}")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(servers)


def _dagster(port: int) -> list[str]:
    workspace = str(PROJECT / "workspace.yaml")
    return [sys.executable, "-m", "dagster", "dev", "-w", workspace, "-h", "127.0.0.1", "-p", str(port)]


def _mlflow(tracking: Tracking, home: Path, port: int) -> list[str]:
    hosts = f"localhost:{port},127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", tracking.tracking_uri, "--default-artifact-root", str(home / "mlartifacts")]
    return [*command, "--allowed-hosts", hosts]


def _start(command: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        return subprocess.Popen(command, env=environment, stdout=file, stderr=file, cwd=PROJECT, start_new_session=True)


def _stop(servers: Sequence[subprocess.Popen[bytes]]) -> None:
    for server in servers:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    for server in servers:
        try:
            server.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def require_free(port: int) -> None:
    """Raises a LuthierError when something listens on the port already."""
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LuthierError("the port is taken", received=port, remedy="stop what listens there") from error
