"""What every request passes first: it is counted and logged; then Host header, token and size are looked at."""

import asyncio
import hmac
import logging
import time
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from luthier.serving.metrics import Metrics
from luthier.serving.refusal import Refusal
from luthier.serving.settings import Settings

log = logging.getLogger(__name__)

# What a probe and a browser ask without a token: neither tells of a text.
OPEN: Final = frozenset({"/", "/ping"})
VERSION_HEADER: Final = "x-luthier-model-version"


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


class Gate:
    """Refuses requests of other hosts (a page elsewhere whose name now points here), without token, or too large."""

    def __init__(self, app: ASGIApp, *, settings: Settings, token: str | None):
        self.app, self.settings, self.token = app, settings, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            headers = Headers(scope=scope)
            self._require_host(headers)
            self._require_token(scope["path"], headers)
            await self.app(scope, await self._whole_body(receive, headers), noted)
        except Refusal as refusal:
            scope["luthier"].version = refusal.version or scope["luthier"].version
            await self._refuse(refusal, scope["path"], send)
        except Exception:
            log.exception("a request failed")
            if begun:
                raise
            await self._refuse(Refusal(500, "the server failed"), scope["path"], send)

    def _require_host(self, headers: Headers) -> None:
        host = headers.get("host", "")
        name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
        if name.lower() not in self.settings.allowed_hosts:
            raise Refusal(403, "the Host header names another machine", remedy="name it with --allow-host")

    def _require_token(self, path: str, headers: Headers) -> None:
        if self.token is None or path in OPEN:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self.token.encode()):
            raise Refusal(401, "the token is missing or wrong", remedy="send Authorization: Bearer TOKEN")

    async def _whole_body(self, receive: Receive, headers: Headers) -> Receive:
        """Reads the body to its end, so that no more than is allowed is ever held."""
        limits = self.settings.limits
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > limits.body_bytes:
            raise _too_large(limits.body_bytes)
        body, more = b"", True
        while more:
            try:
                message = await asyncio.wait_for(receive(), limits.seconds)
            except TimeoutError:
                raise Refusal(408, f"no whole body within {limits.seconds:g} seconds") from None
            if message["type"] != "http.request":
                break
            body, more = body + message.get("body", b""), message.get("more_body", False)
            if len(body) > limits.body_bytes:
                raise _too_large(limits.body_bytes)
        given = False

        async def replayed() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        return replayed

    async def _refuse(self, refusal: Refusal, path: str, send: Send) -> None:
        body = refusal.body(path)
        headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
        if refusal.version:
            headers[VERSION_HEADER] = refusal.version
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"the body has more than {limit:,} bytes", remedy="send fewer rows at once")
