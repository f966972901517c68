"""The folder through which the processes of a server agree: which package is to answer, and which one does."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TARGET, STATE, SETTINGS = "target.json", "state.json", "settings.json"


@dataclass(frozen=True)
class Target:
    """The package that is to answer: an MLflow model folder, and its version in the registry."""

    version: str
    folder: str


@dataclass(frozen=True)
class State:
    """What answers now. Counts go on when the model's process is started again; ``failed`` is the newest failure."""

    version: str
    since: str
    process: int
    starts: int = 1
    swaps: int = 0
    failures: int = 0
    failed: str | None = None


class Control:
    """Files in ``folder``, each replaced as a whole."""

    def __init__(self, folder: Path):
        self.folder = folder

    def aim_at(self, target: Target) -> None:
        self._write(TARGET, asdict(target))

    @property
    def target(self) -> Target:
        return Target(**self._read(TARGET))

    @property
    def target_changed(self) -> int:
        """A number that another target changes."""
        return (self.folder / TARGET).stat().st_mtime_ns

    def report(self, state: State) -> None:
        self._write(STATE, asdict(state))

    @property
    def state(self) -> State | None:
        """None until a model answered for the first time."""
        try:
            return State(**self._read(STATE))
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> dict[str, Any]:
        return json.loads((self.folder / name).read_text())

    def _write(self, name: str, values: dict[str, Any]) -> None:
        beside = self.folder / f"{name}.{os.getpid()}"
        beside.write_text(json.dumps(values, indent=2))
        beside.replace(self.folder / name)
