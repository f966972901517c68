"""Hands jobs to the model's process and gives back what it answers; asks again what a process died over."""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from litserve.specs.base import LitSpec
from litserve.utils import LitAPIStatus, ResponseBufferItem

from luthier.serving.job import Answer, Columns, Job, Piece, Refused
from luthier.serving.refusal import Refusal
from luthier.serving.settings import Limits

# What the model's process says when it can answer.
STARTED: Final = "started"
# A request that two processes died over may be why they did.
ASKED_AT_MOST: Final = 2


@dataclass
class Pending:
    """A job that is not answered; ``begun`` once a piece of its text is with the client."""

    job: Job
    asked: int = 1
    begun: bool = False


class Dispatcher(LitSpec):
    """LitServe's link to its queues, for the protocols: ``RegularRequestHandler`` waits for ever, also for the dead."""

    def __init__(self, limits: Limits):
        super().__init__()
        self.api_path = "/invocations"
        self.limits = limits
        self.pending: dict[str, Pending] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What the model's process needs of it: next to nothing."""
        return {**super().__getstate__(), "response_buffer": None, "request_queue": None}

    @property
    def stream(self) -> bool:
        """LitServe then keeps all that is said of a request, in order."""
        return True

    def setup(self, server: Any) -> None:
        super().setup(server)
        self.response_buffer[STARTED] = ResponseBufferItem(asyncio.Event(), deque())

    async def ask(self, columns: Columns, rows: int, **options: Any) -> Answer:
        """The answer to the rows of a request.

        Raises:
            Refusal: 422 what the model cannot read, 429 too much waits, 503 and 504 the model is not there.
        """
        async with aclosing(self.pieces(columns, rows, **options)) as pieces:
            async for said in pieces:
                if isinstance(said, Answer):
                    return said
        raise AssertionError("an answer comes last")

    async def pieces(self, columns: Columns, rows: int, **options: Any) -> AsyncGenerator[Piece | Answer]:
        """What ``ask`` gives, after the pieces of a text that is streamed."""
        if len(self.pending) >= self.limits.waiting:
            raise Refusal(429, f"{len(self.pending)} requests wait already", remedy="ask again in a moment")
        job = Job(uuid.uuid4().hex, columns, rows, **options)
        item = ResponseBufferItem(asyncio.Event(), deque())
        self.response_buffer[job.uid] = item
        self.pending[job.uid] = Pending(job)
        try:
            self._put(job)
            while True:
                said = await self._next(item)
                if isinstance(said, Refused):
                    raise Refusal(said.status, said.message, remedy=said.remedy, version=said.version)
                if isinstance(said, Piece):
                    self.pending[job.uid].begun = True
                yield said
                if isinstance(said, Answer):
                    return
        finally:
            del self.response_buffer[job.uid], self.pending[job.uid]

    async def ask_again(self) -> None:
        """Asks what is not answered whenever the model's process begins anew: it died, and with it what it had read.

        What was still in the queue is so answered twice, and the second answer thrown away.
        """
        item = self.response_buffer[STARTED]
        while True:
            await item.event.wait()
            item.event.clear()
            item.response_queue.clear()
            for waiting in list(self.pending.values()):
                waiting.asked += 1
                if waiting.begun or waiting.asked > ASKED_AT_MOST:
                    self._say(waiting.job, Refused("", 503, "the model's process ended over this request"))
                else:
                    self._put(waiting.job)

    def _put(self, job: Job) -> None:
        self.request_queue.put((0, job.uid, time.monotonic(), job))

    def _say(self, job: Job, said: Refused) -> None:
        item = self.response_buffer[job.uid]
        item.response_queue.append((said, LitAPIStatus.OK))
        item.event.set()

    async def _next(self, item: ResponseBufferItem) -> Any:
        queue: Any = item.response_queue
        if not queue:
            try:
                await asyncio.wait_for(item.event.wait(), self.limits.seconds)
            except TimeoutError:
                raise Refusal(504, f"no answer within {self.limits.seconds:g} seconds", remedy="ask for less") from None
        said, status = queue.popleft()
        if not queue:
            item.event.clear()
        if status != LitAPIStatus.OK:
            raise Refusal(500, "the model failed", remedy="look into the server's log")
        return said
