"""What no request gets past: bodies that never end, or end too early."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from luthier.serving.gate import Gate
from luthier.serving.request_log import Record
from luthier.serving.settings import Limits, Settings

SETTINGS = Settings("tiny", 8000, threads=1, limits=Limits(body_bytes=100, seconds=0.2))


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(await Request(scope, receive).body())(scope, receive, send)


def asked(messages: Iterable[Message], *, pause: float = 0.0, **headers: str) -> list[dict[str, Any]]:
    """What the gate answers to a body that comes in these messages."""
    coming, sent = iter(messages), []

    async def receive() -> Message:
        await asyncio.sleep(pause)
        return next(coming)

    async def send(message: Message) -> None:
        sent.append(message)

    given = {"host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    scope = {"type": "http", "method": "POST", "path": "/invocations", "headers": raw, "luthier": Record()}
    asyncio.run(Gate(echo, settings=SETTINGS, token=None)(scope, receive, send))
    return sent


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def refusal(sent: list[dict[str, Any]]) -> tuple[int, str]:
    return sent[0]["status"], json.loads(sent[1]["body"])["error_code"]


def test_a_body_in_parts_is_passed_on_whole():
    sent = asked([part(b"a"), part(b"b"), part(b"c", more=False)])
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"abc")


def test_a_body_that_comes_byte_by_byte_has_no_more_time_than_another():
    assert refusal(asked((part(b" ") for _ in range(90)), pause=0.02)) == (408, "REQUEST_TIMEOUT")


def test_a_body_is_too_large_by_what_it_says_and_by_what_it_is():
    assert refusal(asked([], content_length="101")) == (413, "REQUEST_TOO_LARGE")
    assert refusal(asked([part(b" " * 60), part(b" " * 60)])) == (413, "REQUEST_TOO_LARGE")


def test_a_body_that_was_cut_off_is_not_taken_for_a_whole_one():
    assert asked([part(b"[1"), {"type": "http.disconnect"}]) == []
