"""Processes, told apart by number and time of creation, since numbers are used again."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

# Seconds by which two readings of the same creation time, or of a clock, may differ.
TOLERANCE = 2.0


@dataclass(frozen=True)
class ProcessIdentity:
    """A process of this host. Created at ``started``, or no later than ``seen``."""

    pid: int
    started: float | None = None
    seen: float | None = None

    def alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            created, status = process.create_time(), process.status()
        except psutil.NoSuchProcess:
            return False
        if status == psutil.STATUS_ZOMBIE:
            return False
        if self.started is not None:
            return abs(created - self.started) <= TOLERANCE
        return self.seen is None or created <= self.seen + TOLERANCE


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
