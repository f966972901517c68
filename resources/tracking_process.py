"""Tags that name a process, on runs of MLflow and of Dagster."""

import socket
from collections.abc import Mapping

import psutil

from luthier.process_identity import ProcessIdentity


def process_tags(separator: str = ".") -> dict[str, str]:
    """Tags that name this process: ``luthier.pid`` in MLflow, ``luthier/pid`` (separator ``/``) on a Dagster run."""
    process = psutil.Process()
    values = {"pid": process.pid, "process_started": f"{process.create_time():.2f}", "host": socket.gethostname()}
    return {f"luthier{separator}{name}": str(value) for name, value in values.items()}


def tagged_process(tags: Mapping[str, str], separator: str = ".") -> ProcessIdentity | None:
    """The process that such tags name, if it is one of this host."""
    pid, started, host = (tags.get(f"luthier{separator}{name}") for name in ("pid", "process_started", "host"))
    if pid is None or started is None or host not in (None, socket.gethostname()):
        return None
    return ProcessIdentity(int(pid), started=float(started))
