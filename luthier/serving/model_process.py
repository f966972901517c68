"""The process that holds the model: LitServe starts it, passes it jobs, and starts it again when it dies."""

import os
import signal
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, Final

import litserve
from litserve.loops.base import LitLoop
from litserve.transport.base import MessageTransport
from litserve.utils import LitAPIStatus, LoopResponseType

from luthier.serving.control import Control
from luthier.serving.dispatch import MODEL, Dispatcher
from luthier.serving.job import Job, Piece, Said, Started
from luthier.serving.settings import Limits, Settings

if TYPE_CHECKING:
    from luthier.serving.prediction_log import PredictionLog

# How soon an idle process sees that it is to end.
WAIT_SECONDS: Final = 0.2
# Requests are read while the model works, and not behind it: more of them then wait together.
NICENESS: Final = 5


class Waiting:
    """The jobs that wait for the model, the oldest first."""

    def __init__(self, queue: "Queue[list[tuple[float, Job]]]", limits: Limits):
        self.queue, self.limits = queue, limits
        self.read: deque[tuple[float, Job]] = deque()
        self.taking = threading.Lock()

    def take(self) -> list[Job]:
        """What is there, up to a number of rows; of nothing it waits a moment for the first. One thread at a time."""
        taken: dict[str, Job] = {}
        rows = 0
        with self.taking:
            while rows < self.limits.batch_rows and (self.read or self._finds_more(wait=not taken)):
                asked, job = self.read.popleft()
                if time.monotonic() - asked <= self.limits.seconds:
                    # What is asked again may still have been in the queue.
                    taken[job.uid] = job
                    rows += job.rows
        return list(taken.values())

    def _finds_more(self, *, wait: bool) -> bool:
        try:
            self.read.extend(self.queue.get(timeout=WAIT_SECONDS) if wait else self.queue.get_nowait())
        except Empty:
            return False
        return True


class Batches(LitLoop):
    """A loop of LitServe's, which answers what waits together, in as many threads as the model has copies for.

    It ends between two batches when the process is told to (SIGTERM), so that all that was answered is also kept.
    """

    ended = False

    def end(self, number: int, frame: object) -> None:
        self.ended = True

    def __call__(
        self,
        lit_api: "ModelProcess",
        device: str,
        worker_id: int,
        request_queue: Queue,
        transport: MessageTransport,
        workers_setup_status: dict[int, str],
        callback_runner: Any,
    ) -> None:
        def say(said: Said) -> None:
            self.put_response(transport, 0, MODEL, said, LitAPIStatus.OK, LoopResponseType.REGULAR)

        def tell(job: Job, piece: Piece) -> None:
            say({job.uid: piece})

        def answer(thread: int) -> None:
            try:
                while not self.ended:
                    if jobs := waiting.take():
                        answers = lit_api.model.answer(jobs, tell, thread=thread)
                        say({job.uid: found for job, found in zip(jobs, answers, strict=True)})
            finally:
                # Where one thread fails, the process ends, and is started again.
                self.ended = True

        signal.signal(signal.SIGTERM, self.end)
        waiting = Waiting(request_queue, lit_api.settings.limits)
        say(Started(os.getpid()))
        threads = len(lit_api.model.models)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(answer, range(threads)))
        lit_api.end()


class ModelProcess(litserve.LitAPI):
    """What LitServe starts: the model, loaded in its process."""

    def __init__(self, folder: Path, settings: Settings, dispatcher: Dispatcher):
        super().__init__(loop=Batches(), spec=dispatcher)
        self.folder, self.settings = folder, settings

    def setup(self, device: str) -> None:
        import torch

        from luthier.serving.json_log import log_as_json
        from luthier.serving.swapping import SwappingModel

        log_as_json()
        os.nice(NICENESS)
        torch.set_float32_matmul_precision("medium" if self.settings.precision == "bfloat16" else "highest")
        self.prediction_log = self._prediction_log()
        self.model = SwappingModel(Control(self.folder), self.prediction_log, at_once=self.settings.at_once)
        torch.set_num_threads(max(1, self.settings.threads // len(self.model.models)))
        self.model.watch()

    def end(self) -> None:
        """Writes the kept rows that are not on disk yet."""
        if self.prediction_log is not None:
            self.prediction_log.close()

    def _prediction_log(self) -> "PredictionLog | None":
        from luthier.serving.prediction_log import PredictionLog

        kept = self.settings.kept
        return None if kept is None else PredictionLog(Path(kept.folder), share=kept.share, days=kept.days)
