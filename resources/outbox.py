"""The outbox: messages that are to be sent, each once to each hook, whoever asks twice and whatever crashes."""

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from resources.notifications import Message, NotSent

log = logging.getLogger("luthier.notifications")

# Seconds to wait after each try that failed; after the last of them a message is given up.
WAITS = (30.0, 120.0, 600.0, 1800.0)
KEPT_SECONDS = 90 * 86400.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    event TEXT, kind TEXT, hook TEXT, message TEXT, state TEXT, tries INTEGER, due REAL,
    PRIMARY KEY (event, kind)
)
"""

Send = Callable[[Message, str, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Failed:
    """A try that failed; ``given_up`` when it was the last."""

    event: str
    recipe: str
    kind: str
    reason: str
    given_up: bool


@dataclass(frozen=True)
class Delivery:
    """What one pass over the outbox came to."""

    sent: int
    failed: tuple[Failed, ...]


class Outbox:
    """``<home>/notifications.db``. A message is forgotten 90 days after its end."""

    def __init__(self, home: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = home / "notifications.db"
        self.clock = clock

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether no other process is sending; it stays so within."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def knows(self, event: str) -> bool:
        """Whether it was put in before."""
        with self._database() as database:
            return database.execute("SELECT 1 FROM messages WHERE event = ?", (event,)).fetchone() is not None

    def add(self, event: str, message: Message, hooks: Mapping[str, Mapping[str, Any]]) -> None:
        """Puts a message in for each hook, unless the same event had one there before; without hooks it is known."""
        states: dict[str, tuple[str, Mapping[str, Any]]] = {kind: ("waiting", hook) for kind, hook in hooks.items()}
        written, now = json.dumps(asdict(message)), self.clock()
        rows = [
            (event, kind, json.dumps(hook), written, state, now)
            for kind, (state, hook) in (states or {"nobody": ("nobody", {})}).items()
        ]
        with self._database() as database:
            database.executemany("INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?, ?, 0, ?)", rows)

    def deliver(self, send: Send, *, seconds: float) -> Delivery:
        """Sends what is due, those that never failed first; starts no other after ``seconds``.

        A hook that fails is not called again in this pass, so that it takes no time from the others.
        """
        began, sent = time.monotonic(), 0
        failed: list[Failed] = []
        failing: set[str] = set()
        with self._database() as database:
            due = database.execute(
                "SELECT event, kind, hook, message, tries FROM messages WHERE state = 'waiting' AND due <= ? "
                "ORDER BY tries, due",
                (self.clock(),),
            ).fetchall()
        for event, kind, hook, written, tries in due:
            if time.monotonic() - began > seconds:
                break
            if hook in failing:
                continue
            message = Message(**json.loads(written))
            try:
                send(message, kind, json.loads(hook))
            except NotSent as error:
                failing.add(hook)
                failed.append(self._failed(event, message.recipe, kind, str(error), tries))
            else:
                self._settle(event, kind, "sent", tries + 1)
                sent += 1
        self._forget()
        return Delivery(sent, tuple(failed))

    def waiting(self) -> int:
        """Messages that are still to be sent."""
        with self._database() as database:
            return int(database.execute("SELECT count(*) FROM messages WHERE state = 'waiting'").fetchone()[0])

    def _failed(self, event: str, recipe: str, kind: str, reason: str, tries: int) -> Failed:
        given_up = tries >= len(WAITS)
        wait = 0.0 if given_up else WAITS[tries]
        self._settle(event, kind, "given up" if given_up else "waiting", tries + 1, wait=wait)
        if given_up:
            log.error("%s: the %s of %s is given up: %s", recipe, kind, event, reason)
        return Failed(event, recipe, kind, reason, given_up)

    def _settle(self, event: str, kind: str, state: str, tries: int, *, wait: float = 0.0) -> None:
        with self._database() as database:
            database.execute(
                "UPDATE messages SET state = ?, tries = ?, due = ? WHERE event = ? AND kind = ?",
                (state, tries, self.clock() + wait, event, kind),
            )

    def _forget(self) -> None:
        with self._database() as database:
            database.execute(
                "DELETE FROM messages WHERE state != 'waiting' AND due < ?", (self.clock() - KEPT_SECONDS,)
            )

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """Each use is a transaction that is on disk when it ends."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=20)) as database, database:
            database.execute(SCHEMA)
            yield database
