"""MLflow's scoring server, really started on a package: asked over HTTP on a free port of 127.0.0.1, always stopped."""

import functools
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from luthier.errors import LuthierError
from resources.tracking_store import SETTINGS

if TYPE_CHECKING:
    import pyarrow as pa

    from luthier.packaging.answers import Ask

STARTER: Final = Path(__file__).with_name("scoring_starter.py")
# A large model takes long to load; a server that dies is noticed at once.
READY_SECONDS: Final = 600.0
ANSWER_SECONDS: Final = 600.0
STOP_SECONDS: Final = 10.0
LOG_LINES: Final = 30
ENVIRONMENT: Final = {**SETTINGS, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def prepare_server() -> None:
    """Begins with what takes long and needs no package yet; whoever calls it early waits less later."""
    _starter()


@contextmanager
def serve_package(package: Path) -> "Iterator[Ask]":
    """Asks the package by way of MLflow's scoring server, which runs until the end of the block.

    Raises:
        LuthierError: the server did not come up, or did not answer; with the end of its log.
    """
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "server.log"
        port, life_line = _started(package, log)
        try:
            _exchange(port, "GET", "/ping", None, log, seconds=READY_SECONDS)
            yield lambda rows: _answers(port, rows, log)
        finally:
            _stop(life_line)


def _started(package: Path, log: Path) -> tuple[int, socket.socket]:
    """The port that a server will answer at, and what keeps it alive.

    The socket listens already, so that a request waits for the server, and is refused once the server has ended.
    """
    import torch

    environment = {
        "__pyfunc_model_path__": str(package),
        "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": f"{ANSWER_SECONDS:.0f}",
    }
    order = {"environment": environment, "threads": torch.get_num_threads(), "log": str(log)}
    ours, theirs = socket.socketpair()
    with theirs, socket.create_server(("127.0.0.1", 0)) as listening:
        socket.send_fds(_starter().orders, [json.dumps(order).encode()], [listening.fileno(), theirs.fileno()])
        return listening.getsockname()[1], ours


def _stop(life_line: socket.socket) -> None:
    """Ends the server, and waits until it has gone."""
    with life_line:
        life_line.shutdown(socket.SHUT_WR)
        life_line.settimeout(STOP_SECONDS)
        life_line.recv(1)


def _answers(port: int, rows: "pa.Table", log: Path) -> list[dict[str, Any]]:
    data = {"columns": rows.column_names, "data": [list(row.values()) for row in rows.to_pylist()]}
    body = json.dumps({"dataframe_split": data})
    found: list[dict[str, Any]] = json.loads(
        _exchange(port, "POST", "/invocations", body, log, seconds=ANSWER_SECONDS)
    )["predictions"]
    return found


def _exchange(port: int, method: str, path: str, body: str | None, log: Path, *, seconds: float) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise _failure("MLflow's scoring server does not answer", f"{type(error).__name__}: {error}", log) from error
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        said = content.decode(errors="replace")
        raise _failure("MLflow's scoring server refuses what the package was trained on", said, log)
    return content


def _failure(what: str, received: str, log: Path) -> LuthierError:
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:] if log.is_file() else []
    told = "\n".join(["its log ends:", *lines]) if lines else "it wrote no log"
    return LuthierError(
        f"{what} ({received}); {told}", remedy="nothing was deployed; please report this with the recipe"
    )


class _Starter:
    def __init__(self) -> None:
        self.orders, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(STARTER), str(theirs.fileno())],
                env={**os.environ, **ENVIRONMENT},
                cwd=tempfile.gettempdir(),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )


@functools.cache
def _kept(process: int) -> _Starter:
    return _Starter()


def _starter() -> _Starter:
    """This process's own; another if the last one died."""
    if _kept(os.getpid()).process.poll() is not None:
        _kept.cache_clear()
    return _kept(os.getpid())
