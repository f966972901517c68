"""Every request is counted, and has a line in the log."""

import logging
import time
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from luthier.serving.metrics import Metrics
from luthier.serving.settings import Settings

log = logging.getLogger(__name__)


@dataclass
class Record:
    """What the log says of a request, filled in by whoever answers it; ``texts`` are logged if that was asked for."""

    rows: int | None = None
    version: str | None = None
    texts: Any = None


class Observed:
    """Counts every request, and writes a line of it."""

    def __init__(self, app: ASGIApp, *, settings: Settings, metrics: Metrics, paths: frozenset[str]):
        self.app, self.settings, self.metrics, self.paths = app, settings, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        record = scope["luthier"] = Record()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            self._note(scope, record, status, time.perf_counter() - started)

    def _note(self, scope: Scope, record: Record, status: int, seconds: float) -> None:
        path = scope["path"] if scope["path"] in self.paths else "other"
        self.metrics.request(path, status, seconds)
        fields = {
            "method": scope["method"],
            "path": path,
            "status": status,
            "milliseconds": round(1000 * seconds, 2),
            "rows": record.rows,
            "version": record.version,
        }
        if self.settings.log_texts:
            fields["texts"] = record.texts
        log.info("request", extra={"fields": fields})
