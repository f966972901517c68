"""What every request passes first: its Host header, token and size are looked at."""

import asyncio
import hmac
import logging
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from luthier.serving.json_body import refused
from luthier.serving.refusal import Refusal
from luthier.serving.settings import Settings

log = logging.getLogger(__name__)

# What a probe and a browser ask without a token: neither tells of a text.
OPEN: Final = frozenset({"/", "/ping"})


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
            await self.app(scope, await self._whole_body(scope, receive, headers), noted)
        except ClientDisconnect:
            return
        except Refusal as refusal:
            scope["luthier"].version = refusal.version or scope["luthier"].version
            await refused(refusal, scope["path"])(scope, receive, send)
        except Exception:
            log.exception("a request failed")
            if begun:
                raise
            await refused(Refusal(500, "the server failed"), scope["path"])(scope, receive, send)

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

    async def _whole_body(self, scope: Scope, receive: Receive, headers: Headers) -> Receive:
        """Reads the body to its end, so that no more than is allowed is ever held, for no longer than is allowed."""
        limits = self.settings.limits
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > limits.body_bytes:
            raise _too_large(limits.body_bytes)
        body = bytearray()
        try:
            async with asyncio.timeout(limits.seconds):
                async for part in Request(scope, receive).stream():
                    body += part
                    if len(body) > limits.body_bytes:
                        raise _too_large(limits.body_bytes)
        except TimeoutError:
            raise Refusal(408, f"no whole body within {limits.seconds:g} seconds") from None
        return _replayed(bytes(body), receive)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"the body has more than {limit:,} bytes", remedy="send fewer rows at once")
