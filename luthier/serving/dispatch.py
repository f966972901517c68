"""Hands jobs to the model's process and gives back what it answers; asks again what a process died over."""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from litserve.specs.base import LitSpec
from litserve.utils import ResponseBufferItem

from luthier.serving.job import Answer, Columns, Job, Piece, Refused, Said, Started
from luthier.serving.refusal import Refusal
from luthier.serving.settings import Limits

# LitServe gives back what is said by a request's name. All that the model's process says at once is said under this.
MODEL: Final = "model"
# A request that two processes died over may be why they did.
ASKED_AT_MOST: Final = 2


@dataclass
class Pending:
    """A job that is not answered; ``begun`` once a piece of its text was said."""

    job: Job
    said: asyncio.Queue[Answer | Piece | Refused] = field(default_factory=asyncio.Queue)
    asked: int = 1
    begun: bool = False

    def say(self, said: Answer | Piece | Refused) -> None:
        self.begun = self.begun or isinstance(said, Piece)
        self.said.put_nowait(said)


class Dispatcher(LitSpec):
    """LitServe's link to its queues, for the protocols: ``RegularRequestHandler`` waits for ever, also for the dead."""

    def __init__(self, limits: Limits):
        super().__init__()
        self.api_path = "/invocations"
        self.limits = limits
        self.pending: dict[str, Pending] = {}
        self.unsent: list[tuple[float, Job]] = []

    def __getstate__(self) -> dict[str, Any]:
        """What the model's process needs of it: next to nothing."""
        return {**super().__getstate__(), "response_buffer": None, "request_queue": None}

    @property
    def stream(self) -> bool:
        """LitServe then keeps all that is said, in order."""
        return True

    def setup(self, server: Any) -> None:
        super().setup(server)
        self.response_buffer[MODEL] = ResponseBufferItem(asyncio.Event(), deque())

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
        pending = self.pending[job.uid] = Pending(job)
        try:
            self._put(job)
            while True:
                said = await self._next(pending)
                if isinstance(said, Refused):
                    raise Refusal(said.status, said.message, remedy=said.remedy, version=said.version)
                yield said
                if isinstance(said, Answer):
                    return
        finally:
            del self.pending[job.uid]

    async def listen(self) -> None:
        """Hands on what the model's process says, as long as the server lives."""
        item = self.response_buffer[MODEL]
        while True:
            await item.event.wait()
            item.event.clear()
            while item.response_queue:
                said, _ = item.response_queue.popleft()
                self._hand_on(said)

    def _hand_on(self, said: Said) -> None:
        if isinstance(said, Started):
            self._ask_again()
            return
        for uid, answer in said.items():
            if uid in self.pending:
                self.pending[uid].say(answer)

    def _ask_again(self) -> None:
        """Asks what is not answered once more: the process before died, and with it what it had read.

        What was still in the queue is so answered twice, and the second answer thrown away.
        """
        for waiting in self.pending.values():
            waiting.asked += 1
            if waiting.begun or waiting.asked > ASKED_AT_MOST:
                waiting.say(Refused("", 503, "the model's process ended over this request"))
            else:
                self._put(waiting.job)

    def _put(self, job: Job) -> None:
        """Sends what comes in at one turn of the loop together: each message is a round trip between processes."""
        if not self.unsent:
            asyncio.get_running_loop().call_soon(self._send)
        self.unsent.append((time.monotonic(), job))

    def _send(self) -> None:
        unsent, self.unsent = self.unsent, []
        self.request_queue.put(unsent)

    async def _next(self, pending: Pending) -> Answer | Piece | Refused:
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await pending.said.get()
        except TimeoutError:
            raise Refusal(504, f"no answer within {self.limits.seconds:g} seconds", remedy="ask for less") from None
