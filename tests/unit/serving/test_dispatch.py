"""Jobs on their way to the model's process and back, over LitServe's queues."""

import asyncio
import queue
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from luthier.serving.dispatch import MODEL, Dispatcher
from luthier.serving.job import Answer, Job, Piece, Refused, Started
from luthier.serving.model_process import Waiting
from luthier.serving.refusal import Refusal
from luthier.serving.settings import Limits

LIMITS = Limits(seconds=30, waiting=3, batch_rows=4)


class Link:
    """A dispatcher between queues of this process; the test is the model."""

    def __init__(self, limits: Limits = LIMITS):
        self.queue: queue.Queue[list[tuple[float, Job]]] = queue.Queue()
        self.dispatcher = Dispatcher(limits)
        server = SimpleNamespace(response_buffer={}, data_streamer=None, _get_request_queue=lambda path: self.queue)
        self.dispatcher.setup(server)
        self.waiting = Waiting(self.queue, limits)

    def say(self, said: Any) -> None:
        item = self.dispatcher.response_buffer[MODEL]
        item.response_queue.append((said, "OK"))
        item.event.set()

    async def __aenter__(self) -> "Link":
        self.listening = asyncio.create_task(self.dispatcher.listen())
        return self

    async def __aexit__(self, *raised: object) -> None:
        self.listening.cancel()

    async def ask(self, *texts: str) -> list[asyncio.Task[Answer]]:
        """Each of them in a request of its own, all of which are sent when this returns."""
        asked = [asyncio.create_task(self.dispatcher.ask({"text": [text]}, 1)) for text in texts]
        await self.turn()
        return asked

    async def turn(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)


def texts(jobs: list[Job]) -> list[str | None]:
    return [job.columns["text"][0] for job in jobs]


def answer(job: Job, version: str = "1") -> Answer:
    return Answer(version, [{"label": job.columns["text"][0]}])


def job(uid: str, rows: int = 1) -> Job:
    return Job(uid, {"text": [uid] * rows}, rows)


def test_requests_that_come_together_are_sent_together_and_each_has_its_own_answer():
    async def run() -> None:
        async with Link() as link:
            asked = await link.ask("a", "b", "c")
            assert link.queue.qsize() == 1
            jobs = link.waiting.take()
            assert texts(jobs) == ["a", "b", "c"]
            link.say({job.uid: answer(job) for job in reversed(jobs)})
            assert [found.answers[0]["label"] for found in await asyncio.gather(*asked)] == ["a", "b", "c"]
            assert not link.dispatcher.pending

    asyncio.run(run())


def test_what_a_dead_process_had_is_asked_again_once_and_answered_once():
    async def run() -> None:
        async with Link() as link:
            (lost,) = await link.ask("lost")
            link.waiting.take()
            (left,) = await link.ask("left")
            link.say(Started(1))
            await link.turn()
            # "left" is twice in the queue now.
            jobs = link.waiting.take()
            assert sorted(map(str, texts(jobs))) == ["left", "lost"]
            link.say({job.uid: answer(job) for job in jobs if texts([job]) == ["left"]})
            assert (await left).answers == [{"label": "left"}]
            link.say(Started(2))
            with pytest.raises(Refusal, match="ended over this request") as raised:
                await lost
            assert raised.value.status == 503
            link.say({jobs[0].uid: answer(jobs[0]), "unheard of": answer(jobs[0])})
            await link.turn()
            assert not link.listening.done()

    asyncio.run(run())


def test_a_text_that_had_begun_is_not_begun_anew():
    async def run() -> None:
        async with Link() as link:
            pieces = link.dispatcher.pieces({"text": ["a"]}, 1, stream=True)
            first = asyncio.create_task(anext(pieces))
            await link.turn()
            (asked,) = link.waiting.take()
            # The piece and the death are heard of before anybody reads the piece.
            link.say({asked.uid: Piece("1", "Once")})
            link.say(Started(1))
            assert await first == Piece("1", "Once")
            with pytest.raises(Refusal, match="ended over this request"):
                await anext(pieces)
            assert link.queue.empty()

    asyncio.run(run())


def test_too_many_requests_and_answers_that_do_not_come_are_refused():
    async def run() -> None:
        async with Link(replace(LIMITS, seconds=0.05)) as link:
            asked = await link.ask("a", "b", "c")
            with pytest.raises(Refusal, match="3 requests wait already"):
                await link.dispatcher.ask({"text": ["d"]}, 1)
            for waiting in asked:
                with pytest.raises(Refusal) as raised:
                    await waiting
                assert raised.value.status == 504
            assert not link.dispatcher.pending

    asyncio.run(run())


def test_a_refusal_of_the_model_is_that_of_its_request_alone():
    async def run() -> None:
        async with Link() as link:
            good, bad = await link.ask("good", "bad")
            one, other = link.waiting.take()
            link.say({one.uid: answer(one), other.uid: Refused("1", 422, "row 0 has no text", "give it one")})
            assert (await good).version == "1"
            with pytest.raises(Refusal, match="no text") as raised:
                await bad
            assert (raised.value.status, raised.value.version) == (422, "1")

    asyncio.run(run())


def test_the_model_takes_so_many_rows_divides_no_request_and_leaves_out_what_nobody_waits_for():
    waiting = Waiting(queue.Queue(), LIMITS)
    now = time.monotonic()
    waiting.queue.put([(now, job("a")), (now - 31, job("late")), (now, job("b", 9)), (now, job("c", 2))])
    waiting.queue.put([(now, job("d")), (now, job("d")), (now, job("e", 3))])
    assert [[job.uid for job in waiting.take()] for _ in range(3)] == [["a", "b"], ["c", "d"], ["e"]]
    assert waiting.take() == []
