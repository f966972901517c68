"""The folder through which the processes of a server agree: which package is to answer, and which one does."""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

TARGET: Final = "target.json"
STATE: Final = "state.json"


@dataclass(frozen=True)
class Target:
    """A package that is to answer: an MLflow model folder, and its version in the registry."""

    version: str
    folder: str


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class State:
    """What answers now, since when, and by which process. ``failed`` is the newest version that could not, and why."""

    answering: Target
    process: int
    since: str = field(default_factory=_now)
    starts: int = 1
    swaps: int = 0
    failures: int = 0
    failed: str | None = None

    def started_again(self, process: int) -> "State":
        return replace(self, process=process, starts=self.starts + 1)

    def swapped(self, target: Target) -> "State":
        return replace(self, answering=target, since=_now(), swaps=self.swaps + 1)

    def not_swapped(self, target: Target, error: Exception) -> "State":
        return replace(self, failures=self.failures + 1, failed=f"version {target.version}: {error}")

    @property
    def version(self) -> str:
        return self.answering.version


class Control:
    """Files in ``folder``, each replaced as a whole."""

    def __init__(self, folder: Path):
        self.folder = folder

    def aim_at(self, target: Target) -> None:
        self._write(TARGET, asdict(target))

    @property
    def target(self) -> Target:
        return TypeAdapter(Target).validate_json((self.folder / TARGET).read_text())

    def report(self, state: State) -> None:
        self._write(STATE, asdict(state))

    @property
    def state(self) -> State | None:
        """None until a model answered for the first time."""
        try:
            return TypeAdapter(State).validate_json((self.folder / STATE).read_text())
        except FileNotFoundError:
            return None

    @property
    def first(self) -> Target:
        """What a process begins with: what answered last. A newer target may be one that cannot."""
        state = self.state
        return self.target if state is None else state.answering

    def _write(self, name: str, values: dict[str, Any]) -> None:
        beside = self.folder / f"{name}.{os.getpid()}"
        beside.write_text(json.dumps(values, indent=2))
        beside.replace(self.folder / name)
