"""A real MLflow server that asks for a name and a password, with files of its own behind it."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 180


@dataclass(frozen=True)
class AuthServer:
    uri: str
    folder: Path
    user: str
    password: str


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextmanager
def auth_server(folder: Path) -> Iterator[AuthServer]:
    """Serves database and files of ``folder`` on loopback, to one user."""
    password, port = secrets.token_urlsafe(18), free_port()
    config = folder / "basic_auth.ini"
    config.write_text(
        "[mlflow]\ndefault_permission = NO_PERMISSIONS\n"
        f"database_uri = sqlite:///{folder}/users.db\nadmin_username = keeper\nadmin_password = {password}\n"
        # Else each request waits for a hash that is made to be slow.
        "auth_cache_ttl_seconds = 600\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/server.db"]
    command += ["--serve-artifacts", "--artifacts-destination", str(folder / "files")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_TRACKING")}
    environment |= {
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until_served(f"http://127.0.0.1:{port}/health", server, folder / "server.log")
        yield AuthServer(f"http://127.0.0.1:{port}", folder, "keeper", password)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def wait_until_served(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError(f"{url} is not served: {log.read_text()}")
