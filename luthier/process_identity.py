"""Processes, told apart by number and time of creation, since numbers are used again."""

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
