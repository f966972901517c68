"""The folder beside an output in which it grows: a plan, and a Parquet file for each chunk that is done."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from luthier.data.tables import read_facts, write_facts
from luthier.durable import written_whole
from luthier.errors import LuthierError

PLAN, LOCK = "plan.json", "lock"
NAMES: Final = {"version": "the model's version", "input": "the input", "text": "what is read of a row"}


@contextmanager
def claimed(out: Path) -> Iterator[Path]:
    """The folder of an output's parts, held against other processes; gone afterwards where nothing was begun in it.

    Raises LuthierError when another process writes this output, or its folder is missing.
    """
    folder = out.with_name(f"{out.name}.parts")
    if not out.parent.is_dir():
        raise LuthierError("no such folder", where=str(out.parent), remedy="make it, or write elsewhere")
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LuthierError("another process writes this output", where=str(out), remedy="wait for its end") from None
    try:
        yield folder
    finally:
        if not (folder / PLAN).exists():
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()


class Parts:
    """The parts of one plan: chunks of ``rows`` rows, the last one shorter."""

    def __init__(self, folder: Path, plan: Mapping[str, Any], rows: int):
        """Raises LuthierError when the folder has parts of another plan."""
        self.folder, self.rows = folder, rows
        if self.begun(folder):
            _require_same(folder, read_facts(folder / PLAN), json.loads(json.dumps(plan)))
        else:
            for left in folder.glob("part-*.parquet"):
                left.unlink()
            with written_whole(folder / PLAN) as path:
                write_facts(path, dict(plan))

    @staticmethod
    def begun(folder: Path) -> bool:
        """Whether there is a plan."""
        return (folder / PLAN).exists()

    def done(self) -> int:
        """How many parts are whole, from the first on."""
        number = 0
        while self._is_whole(self._path(number)):
            number += 1
        return number

    def write(self, number: int, table: pa.Table) -> None:
        """Returns when the part is on disk."""
        with written_whole(self._path(number)) as path:
            pq.write_table(table, path)

    def tables(self, count: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The first parts, one at a time, with all columns by default."""
        for number in range(count):
            # read_table would make columns of folders that are named like key=value.
            with pq.ParquetFile(self._path(number)) as file:
                yield file.read(columns)

    def finish(self) -> None:
        """Nothing is left to go on with; ``claimed`` removes the folder."""
        (self.folder / PLAN).unlink()

    def _path(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.parquet"

    def _is_whole(self, path: Path) -> bool:
        try:
            return 0 < pq.read_metadata(path).num_rows <= self.rows
        except FileNotFoundError:
            return False
        except (pa.ArrowException, OSError):
            # Damaged from outside: it is made again.
            return False


def _require_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    differing = [name for name in now if before.get(name) != now[name]]
    if not differing:
        return
    (first, *_) = differing
    with_version = f"give --version {before['version']} to go on, or " if first == "version" else ""
    raise LuthierError(
        f"this output was begun with {' and '.join(NAMES.get(name, name) + ' other than now' for name in differing)}",
        where=str(folder),
        received={name: {"then": before.get(name), "now": now[name]} for name in differing},
        remedy=f"{with_version}remove that folder to begin anew",
    )
