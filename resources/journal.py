"""Journals: what a run logs lies on disk first, one JSON object a line."""

import json
import logging
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from luthier.durable import written_whole

log = logging.getLogger("luthier.tracking")

Record = dict[str, Any]


@dataclass(frozen=True)
class RunStart:
    """What creates a run in MLflow. ``key`` is its tag ``luthier.journal``, by which it is found again."""

    key: str
    name: str
    recipe: str
    time: int
    tags: dict[str, str]
    parent: "RunStart | None" = None


@dataclass(frozen=True)
class Cursor:
    """How much of a journal the run ``run_id`` holds already, in bytes; ``ended`` once that is all there will be."""

    run_id: str | None = None
    offset: int = 0
    ended: bool = False


class Journal:
    """Appends one run's records: one unbuffered write each, so a killed process loses no complete line."""

    def __init__(self, folder: Path, start: RunStart):
        folder.mkdir(parents=True, exist_ok=True)
        self.start = start
        self.path = folder / f"{journal_id(start)}.jsonl"
        self.records = 1
        self._lock = threading.Lock()
        first = self.path.with_suffix(".new")
        first.write_text(json.dumps({"kind": "start", "run": asdict(start)}) + "\n")
        first.rename(self.path)
        self._file = self.path.open("ab", buffering=0)

    def append(self, kind: str, **fields: Any) -> None:
        line = json.dumps({"kind": kind, **fields}).encode() + b"\n"
        with self._lock:
            if self._file.closed:
                raise OSError(f"{self.path.name} has ended already")
            if self._file.write(line) != len(line):
                raise OSError(f"short write to {self.path}")
            self.records += 1

    def keep(self, source: Path) -> Path:
        """A copy of a file or folder that lasts until it is sent, whatever becomes of ``source``."""
        target = self.keeping_place() / source.name
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
        return target

    def keeping_place(self) -> Path:
        place = self.path.with_suffix(".files") / uuid.uuid4().hex
        place.mkdir(parents=True)
        return place

    def close(self) -> None:
        with self._lock:
            os.fsync(self._file.fileno())
            self._file.close()


def journal_id(start: RunStart) -> str:
    """Unique, and in the order of starting: one run can have several journals, from several processes."""
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime(start.time / 1000))
    return f"{moment}-{safe(start.key)}-{uuid.uuid4().hex[:8]}"


def safe(text: str) -> str:
    """As part of a file's name."""
    return re.sub(r"[^\w.-]", "_", text)


def read_start(path: Path) -> RunStart:
    with path.open("rb") as file:
        return _start(json.loads(file.readline())["run"])


def _start(fields: Record) -> RunStart:
    parent = fields["parent"]
    return RunStart(**{**fields, "parent": _start(parent) if parent else None})


def read_records(path: Path, offset: int) -> Iterator[tuple[Record, int]]:
    """Complete records from ``offset`` on, each with the offset behind it; a torn last line is left alone."""
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            try:
                record = json.loads(line)
            except ValueError:
                log.warning("%s: damaged record before byte %d left out", path, offset)
                continue
            yield record, offset


def read_cursor(path: Path) -> Cursor:
    file = path.with_suffix(".cursor")
    return Cursor(**json.loads(file.read_text())) if file.is_file() else Cursor()


def write_cursor(path: Path, cursor: Cursor) -> None:
    with written_whole(path.with_suffix(".cursor")) as pending:
        pending.write_text(json.dumps(asdict(cursor)))


def remove_journal(path: Path) -> None:
    """Removes a journal that was sent whole, the journal itself last but for its lock."""
    shutil.rmtree(path.with_suffix(".files"), ignore_errors=True)
    for suffix in (".jsonl", ".cursor", ".lock"):
        path.with_suffix(suffix).unlink(missing_ok=True)
