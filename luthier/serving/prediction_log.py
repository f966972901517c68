"""What a served model was asked and answered: a sample, as Parquet files that are whole whenever they are visible.

2026-11-28T094349.123456-4711-0001.parquet
text, pair, messages    as they were asked; null what was not given
label, probability ...  the columns of the model's answer
version, time           the model's version; when it was answered, in UTC
"""

import logging
import os
import random
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.durable import written_whole

log = logging.getLogger(__name__)

ASKED: Final = ("text", "pair", "messages")
VERSION, TIME = "version", "time"
STAMP: Final = "%Y-%m-%dT%H%M%S.%f"
ROTATE_ROWS: Final = 10_000
ROTATE_SECONDS: Final = 300.0
ROTATE_BYTES: Final = 16 << 20
# What waits for the disk is dropped above this.
MOST_BYTES: Final = 64 << 20
DAY: Final = 86_400.0


class PredictionLog:
    """Keeps a ``share`` of the rows in ``folder``, which several processes may share; files older than ``days`` go.

    Threads may record at once. A disk that is full, slow or gone costs rows, which are told and counted in ``dropped``,
    and never a request. What was recorded less than ``rotate_seconds`` ago is lost when the process is killed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        share: float,
        seed: int = 17,
        days: int | None = None,
        rotate_rows: int = ROTATE_ROWS,
        rotate_seconds: float = ROTATE_SECONDS,
    ):
        self.folder, self.share, self.days = folder, share, days
        self.rotate_rows, self.rotate_seconds = rotate_rows, rotate_seconds
        self.dropped = 0
        self._random = random.Random(seed)
        self._changed = threading.Condition()
        self._pending: list[pa.Table] = []
        self._rows = self._bytes = self._files = 0
        self._oldest = 0.0
        self._full = self._closing = False
        self._writer: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, rows: pa.Table, answers: pa.Table, *, version: str) -> None:
        """Takes a sample of what was asked (some of the columns text, pair, messages) and answered, row by row."""
        if self.share <= 0 or self._closing:
            return
        try:
            with self._changed:
                chosen = [row for row in range(len(answers)) if self._random.random() < self.share]
            if chosen:
                self._take(_entries(rows.take(chosen), answers.take(chosen), version))
        except Exception:
            log.exception("answers could not be logged")
            self._drop(len(answers))

    def close(self) -> None:
        """Writes what is still there. Recording afterwards does nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._writer is not None:
            self._writer.join()

    def _take(self, entries: pa.Table) -> None:
        with self._changed:
            if self._bytes + entries.nbytes > MOST_BYTES:
                self._drop(len(entries))
                if not self._full:
                    log.warning("answers are not logged till the disk keeps up, %d so far", self.dropped)
                self._full = True
                return
            if not self._pending:
                self._oldest = time.monotonic()
            self._pending.append(entries)
            self._rows, self._bytes = self._rows + len(entries), self._bytes + entries.nbytes
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="prediction-log", daemon=True)
                self._writer.start()
            self._changed.notify_all()

    def _drop(self, rows: int) -> None:
        with self._changed:
            self.dropped += rows

    def _write_all(self) -> None:
        while True:
            with self._changed:
                while not self._is_due():
                    left = self._oldest + self.rotate_seconds - time.monotonic()
                    self._changed.wait(left if self._pending else None)
                pending, self._pending = self._pending, []
                self._rows = self._bytes = 0
                self._full, closing = False, self._closing
            if pending:
                self._write(pending)
            if closing:
                return

    def _is_due(self) -> bool:
        is_old = bool(self._pending) and time.monotonic() - self._oldest >= self.rotate_seconds
        return self._closing or self._rows >= self.rotate_rows or self._bytes >= ROTATE_BYTES or is_old

    def _write(self, pending: list[pa.Table]) -> None:
        """One file, but for answers of another form, as after a swap of models: each form has its own."""
        for schema in dict.fromkeys(table.schema for table in pending):
            rows = pa.concat_tables([table for table in pending if table.schema == schema])
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with written_whole(self.folder / self._name()) as path:
                    pq.write_table(rows, path)
            except Exception as error:
                self._drop(len(rows))
                log.warning("%d answers were not logged, %d so far: %s", len(rows), self.dropped, error, exc_info=True)
        self._forget()

    def _name(self) -> str:
        self._files += 1
        return f"{datetime.now(UTC).strftime(STAMP)}-{os.getpid()}-{self._files:04d}.parquet"

    def _forget(self) -> None:
        """Removes files whose days are over, and what killed processes left half written."""
        try:
            for path in self.folder.glob("*"):
                age = time.time() - path.stat().st_mtime
                is_left = path.name.startswith(".") and path.suffix == ".tmp" and age > DAY
                if is_left or (self.days is not None and path.suffix == ".parquet" and age > self.days * DAY):
                    path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("old answers could not be removed: %s", error)


def _entries(rows: pa.Table, answers: pa.Table, version: str) -> pa.Table:
    count, now = len(answers), datetime.now(UTC)
    asked = {
        name: rows[name].cast(pa.string()) if name in rows.column_names else pa.nulls(count, pa.string())
        for name in ASKED
    }
    said = {name: answers[name] for name in answers.column_names}
    when = pa.array([now] * count, pa.timestamp("us", tz="UTC"))
    return pa.table({**asked, **said, VERSION: pa.array([version] * count, pa.string()), TIME: when})
