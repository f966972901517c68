"""The process that holds the model: LitServe starts it, gives it batches, and starts it again when it dies."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

import litserve
from litserve.loops.simple_loops import BatchedLoop
from litserve.utils import LitAPIStatus, LoopResponseType

from luthier.serving.control import Control
from luthier.serving.dispatch import STARTED, Dispatcher
from luthier.serving.job import Answer, Job, Piece, Refused
from luthier.serving.settings import Settings

if TYPE_CHECKING:
    from luthier.serving.prediction_log import PredictionLog

WAIT_SECONDS = 1.0


class RowBatches(BatchedLoop):
    """LitServe's batched loop, which takes what waits, up to a number of rows.

    LitServe's own collecting counts requests, and asks its queue without a pause (or a thousand times a second): a
    core is busy while nothing is asked.
    """

    def get_batch_requests(self, lit_api: Any, request_queue: Any, transport: Any) -> tuple[list[Any], list[Any]]:
        taken: list[Any] = []
        rows = 0
        while rows < lit_api.batch_rows:
            try:
                request = request_queue.get(timeout=WAIT_SECONDS) if not taken else request_queue.get_nowait()
            except Empty:
                break
            consumer, uid, asked, job = request
            if lit_api.is_late(asked):
                continue
            taken.append((consumer, uid, job))
            rows += job.rows
        return taken, []

    def __call__(self, lit_api: Any, *arguments: Any, **options: Any) -> None:
        transport = options["transport"] if "transport" in options else arguments[3]

        def tell(uid: str, said: Any) -> None:
            self.put_response(transport, 0, uid, said, LitAPIStatus.OK, LoopResponseType.REGULAR)

        lit_api.tell = lambda job, piece: tell(job.uid, piece)
        tell(STARTED, os.getpid())
        super().__call__(lit_api, *arguments, **options)


class ModelProcess(litserve.LitAPI):
    """What LitServe asks of a model."""

    tell: Callable[[Job, Piece], None]

    def __init__(self, folder: Path, settings: Settings, dispatcher: Dispatcher):
        super().__init__(max_batch_size=settings.limits.batch_rows, loop=RowBatches(), spec=dispatcher)
        self.folder, self.settings = folder, settings
        self.batch_rows, self.seconds = settings.limits.batch_rows, settings.limits.seconds

    def setup(self, device: str) -> None:
        import torch

        from luthier.serving.request_log import log_as_json
        from luthier.serving.swapping import SwappingModel

        log_as_json()
        torch.set_num_threads(self.settings.threads)
        torch.set_float32_matmul_precision("medium" if self.settings.precision == "bfloat16" else "highest")
        self.model = SwappingModel(Control(self.folder), self._prediction_log())
        self.model.watch()

    def _prediction_log(self) -> "PredictionLog | None":
        """What answered rows are kept in, written to its end when this process is told to end."""
        from luthier.serving.prediction_log import PredictionLog

        kept = self.settings.kept
        if kept is None:
            return None
        log = PredictionLog(Path(kept.folder), share=kept.share, days=kept.days)

        def end(number: int, frame: object) -> None:
            log.close()
            os._exit(0)

        signal.signal(signal.SIGTERM, end)
        return log

    def is_late(self, asked: float) -> bool:
        """Whether nobody waits any longer for what was asked at a time."""
        return time.monotonic() - asked > self.seconds

    def decode_request(self, request: Job) -> Job:
        return request

    def predict(self, jobs: Sequence[Job]) -> list[Answer | Refused]:
        return self.model.answer(jobs, self.tell)

    def unbatch(self, output: list[Answer | Refused]) -> list[Answer | Refused]:
        return output

    def encode_response(self, output: Answer | Refused) -> Answer | Refused:
        return output
