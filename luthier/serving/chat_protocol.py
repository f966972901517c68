"""OpenAI's chat completions, for models that write: ``/v1/chat/completions`` and ``/v1/models``.

{"model": "dialog", "messages": [{"role": "user", "content": "Hi"}]}  ->  {"choices": [{"message": {...}}], ...}
"""

import json
import logging
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from luthier.serving.job import Answer, Columns, Piece, Writing
from luthier.serving.json_body import VERSION_HEADER, answered, is_unicode, json_body
from luthier.serving.refusal import Refusal
from luthier.serving.service import Service

log = logging.getLogger(__name__)

GREEDY = "answers are the likeliest ones: leave it out"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["text"]
    text: str


class Turn(BaseModel):
    """Who speaks, and what is said."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str | list[_Part]

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    """What a stream has besides the text."""

    model_config = ConfigDict(extra="forbid")

    include_usage: bool = False


class ChatRequest(BaseModel):
    """What is read of OpenAI's request; all else is refused by name, since it would change the answer."""

    model_config = ConfigDict(extra="forbid")

    model: str
    messages: list[Turn] = Field(min_length=1)
    max_tokens: int | None = Field(None, ge=1, description="More than the package allows is cut to what it allows.")
    max_completion_tokens: int | None = Field(None, ge=1, description="The same by its newer name, which wins.")
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=0, description="0: " + GREEDY)
    top_p: float | None = Field(None, ge=1, le=1, description="1: " + GREEDY)
    n: int | None = Field(None, ge=1, le=1)
    user: str | None = None
    seed: int | None = Field(None, description="Answers do not depend on it.")

    @property
    def most_tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def columns(self) -> Columns:
        turns = [{"role": turn.role, "content": turn.text} for turn in self.messages]
        return {"messages": [json.dumps(turns, ensure_ascii=False)]}


class ChatProtocol:
    """Answers conversations, at once or while they are written."""

    def __init__(self, service: Service):
        self.service = service

    async def models(self, request: Request) -> Response:
        state = self.service.state
        model = {"id": self.service.settings.model, "object": "model", "created": 0, "owned_by": "luthier"}
        return answered({"object": "list", "data": [model]}, state.version)

    async def completions(self, request: Request) -> Response:
        asked = self._read(await json_body(request))
        self._require(asked)
        if asked.stream:
            return await self._streamed(request, asked)
        answer = await self.service.ask(request, asked.columns, 1, max_new_tokens=asked.most_tokens)
        return self._completion(answer)

    def _read(self, body: Any) -> ChatRequest:
        try:
            return ChatRequest.model_validate(body, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            remedy = GREEDY if place in ("temperature", "top_p") else None
            said = "is not read here" if first["type"] == "extra_forbidden" else first["msg"]
            raise Refusal(400, f"{place}: {said}", remedy=remedy, param=place) from None

    def _require(self, asked: ChatRequest) -> None:
        name = self.service.settings.model
        if asked.model != name:
            raise Refusal(
                404, f"there is no model {asked.model!r}", remedy=f"ask {name!r}", param="model", code="model_not_found"
            )
        said = sum(len(turn.text) for turn in asked.messages)
        if said > self.service.limits.characters:
            raise Refusal(413, f"{said:,} characters are more than {self.service.limits.characters:,}")
        if not all(is_unicode(turn.text) for turn in asked.messages):
            raise Refusal(400, "a message has half a character", remedy="send valid Unicode", param="messages")

    def _completion(self, answer: Answer) -> Response:
        writing = _writing(answer)
        message = {"role": "assistant", "content": answer.answers[0]["answer"], "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": _finish(writing), "logprobs": None}
        said = {**self._named("chat.completion"), "choices": [choice], "usage": _usage(writing)}
        return answered(said, answer.version)

    async def _streamed(self, request: Request, asked: ChatRequest) -> Response:
        """Waits for the first piece: what is refused has its own status, and a stream has begun."""
        record = self.service.noted(request, asked.columns, 1)
        pieces = self.service.dispatcher.pieces(asked.columns, 1, max_new_tokens=asked.most_tokens, stream=True)
        first = await anext(pieces)
        record.version = first.version
        return StreamingResponse(
            self._events(asked, first, pieces),
            media_type="text/event-stream",
            headers={VERSION_HEADER: first.version, "cache-control": "no-store"},
        )

    async def _events(
        self, asked: ChatRequest, first: Piece | Answer, pieces: AsyncGenerator[Piece | Answer]
    ) -> AsyncIterator[bytes]:
        named = self._named("chat.completion.chunk")
        usage = bool(asked.stream_options and asked.stream_options.include_usage)
        told = ""

        def event(delta: dict[str, str], finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
            return _event({**named, "choices": [choice], **({"usage": None} if usage else {})})

        async with aclosing(pieces):
            yield event({"role": "assistant", "content": ""})
            said: Piece | Answer = first
            try:
                while isinstance(said, Piece):
                    told += said.text
                    yield event({"content": said.text})
                    said = await anext(pieces)
            except Refusal as refusal:
                log.warning("a stream broke off: %s", refusal.message)
                yield _event(refusal.said_at("/v1/"))
                return
            self.service.metrics.batch(said.batch)
            rest = said.answers[0]["answer"][len(told) :]
            if rest:
                yield event({"content": rest})
            writing = _writing(said)
            yield event({}, _finish(writing))
            if usage:
                yield _event({**named, "choices": [], "usage": _usage(writing)})
            yield b"data: [DONE]\n\n"

    def _named(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": self.service.settings.model,
        }


def _event(values: Any) -> bytes:
    return f"data: {json.dumps(values, ensure_ascii=False)}\n\n".encode()


def _writing(answer: Answer) -> Writing:
    assert answer.writings is not None
    return answer.writings[0]


def _finish(writing: Writing) -> str:
    return "stop" if writing.ended else "length"


def _usage(writing: Writing) -> dict[str, int]:
    read, written = writing.prompt_tokens, writing.tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
