"""The synchronizer: sends a journal to MLflow while the run goes on, and those left behind later."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from resources.journal import Journal, RunStart, read_start, remove_journal
from resources.sync_delivery import deliver
from resources.tracking_process import tagged_process
from resources.tracking_store import RunRef, TrackingStore, Unreachable

log = logging.getLogger("luthier.tracking")

PAUSE = 1.0
LONGEST_PAUSE = 10.0


class Synchronizer(threading.Thread):
    """Sends one journal from the background. Nothing that MLflow does or raises reaches the run."""

    def __init__(self, journal: Journal, store: TrackingStore):
        super().__init__(name=f"synchronizer-{journal.start.name}", daemon=True)
        self.journal = journal
        self.store = store
        self._ref: RunRef | None = None
        self._settled = threading.Event()
        self._closing = threading.Event()
        self._delivered = False

    def run(self) -> None:
        pause = PAUSE
        while not self._delivered:
            last = self._closing.is_set()
            try:
                with self.store.reaching():
                    self._send()
                pause = PAUSE
            except Unreachable as error:
                self._tell(error)
                pause = min(2 * pause, LONGEST_PAUSE)
            self._settled.set()
            if last:
                return
            self._closing.wait(pause)

    def ref(self, patience: float) -> RunRef | None:
        """The run in MLflow, or None when MLflow was not reached within ``patience`` seconds."""
        self._settled.wait(patience)
        return self._ref

    def close(self, patience: float) -> None:
        """Sends the rest, for at most ``patience`` seconds; what is left then stays in the journal."""
        self._closing.set()
        self.join(patience)
        if not self._delivered:
            log.info("%d tracking records kept in %s", self.journal.records, self.journal.path)

    def _send(self) -> None:
        path = self.journal.path
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                self._delivered = True
                return
            self._ref = self.store.obtain_run(self.journal.start)
            self._settled.set()
            self._delivered = deliver(path, self._ref, self.store)
            if self._delivered:
                discard(path, self.store)
        _outage(self.store).unlink(missing_ok=True)

    def _tell(self, error: Unreachable) -> None:
        """One warning for a Dagster run and an outage, however many processes and runs meet it."""
        marker, told = _outage(self.store), self.journal.start.tags["luthier.dagster_run_id"]
        if marker.is_file() and marker.read_text() == told:
            log.debug("MLflow is still unreachable: %s", error)
            return
        marker.write_text(told)
        log.warning(
            "MLflow at %s is unreachable (%s). Training goes on; %d tracking records are kept so far in %s, and "
            "`luthier sync` sends them later.",
            self.store.shown_uri,
            error,
            self.journal.records,
            self.journal.path.parent,
        )


@dataclass(frozen=True)
class SyncReport:
    """Journals sent whole, journals still kept, and what stopped the sending."""

    sent: tuple[str, ...]
    kept: tuple[str, ...]
    problem: str | None


def sync_journals(store: TrackingStore, abandoned: Callable[[RunStart], str] = lambda start: "KILLED") -> SyncReport:
    """Sends every journal. Where the process died without an end, ``abandoned`` says how the run ended."""
    paths = sorted(store.folder.glob("*.jsonl"))
    sent: list[str] = []
    problem = None
    for path in paths:
        try:
            with store.reaching():
                if _sync_journal(path, store, abandoned):
                    sent.append(path.stem)
        except Unreachable as error:
            problem = f"MLflow at {store.shown_uri} is unreachable ({error})"
            break
    if problem is None:
        _outage(store).unlink(missing_ok=True)
    return SyncReport(tuple(sent), tuple(path.stem for path in paths if path.stem not in sent), problem)


def _sync_journal(path: Path, store: TrackingStore, abandoned: Callable[[RunStart], str]) -> bool:
    """Whether the journal is done with. One that its own process is sending just now is left to it."""
    try:
        held = FileLock(path.with_suffix(".lock"), timeout=0).acquire()
    except Timeout:
        return False
    with held:
        if not path.exists():
            return True
        start = read_start(path)
        process = tagged_process(start.tags)
        dead = process is not None and not process.alive()
        ref = store.obtain_run(start)
        if not deliver(path, ref, store):
            if not dead:
                return False
            if start.parent:
                store.client.set_terminated(ref.run_id, abandoned(start), int(path.stat().st_mtime * 1000))
        discard(path, store)
        return True


def discard(path: Path, store: TrackingStore) -> None:
    """Removes a journal that MLflow holds. A parent run stays remembered: other processes still log to it."""
    start = read_start(path)
    remove_journal(path)
    if start.parent:
        store.forget_run(start.key)


def _outage(store: TrackingStore) -> Path:
    return store.folder / "unreachable"
