"""A process that has paid the imports and read the base once; each trial trains in a fork of it.

A trial that runs out of memory, or is ended by the kernel, takes nothing else with it, and the base's weights are in
memory once.
"""

import gc
import logging
import multiprocessing
import os
import traceback
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

import torch

from luthier.errors import LuthierError, OutOfMemoryError
from luthier.training.callbacks import MetricsSink
from luthier.training.fresh_process import KILLED, end_with_parent, repeat_line, send_lines, send_metrics
from luthier.training.job import FineTuning
from luthier.training.out_of_memory import is_out_of_memory
from luthier.training.trainable import untrained_model
from luthier.tuning.trial_training import Judge, Standing, TrialOutcome, train_trial
from luthier.tuning.tuning import PreparedTrial

log = logging.getLogger(__name__)

# How the process itself comes to be: with nothing of this one's threads.
START_METHOD = "spawn"


class Nursery:
    """Trains one trial at a time; ``like`` is a training whose base the trials share."""

    def __init__(self, like: FineTuning) -> None:
        self.like = like
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()

    def train(self, order: PreparedTrial, *, on_metrics: MetricsSink, judge: Judge) -> TrialOutcome:
        """The outcome of a trial.

        Raises:
            LuthierError: what the training raised; an OutOfMemoryError where its process was killed.
            RuntimeError: its process ended by itself.
        """
        self._connection.send(order)
        answers: dict[str, Callable[..., object]] = {
            "metrics": on_metrics,
            "line": repeat_line,
            "standing": lambda standing: self._connection.send(judge(standing)),
        }
        outcome: Any = None
        try:
            while True:
                kind, *content = self._connection.recv()
                if kind == "ended":
                    return _judged(outcome, *content)
                if kind in answers:
                    answers[kind](*content)
                else:
                    outcome = content[0]
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            self._process.join()
            self._start()
            raise RuntimeError(f"the process of the trials ended with code {self._process.exitcode}") from error

    def _start(self) -> None:
        # CUDA cannot be forked: nothing may touch it before a trial does.
        os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
        context: Any = multiprocessing.get_context(START_METHOD)
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_nurse, args=(theirs, self.like))
        self._process.start()
        theirs.close()


def _judged(outcome: Any, code: int) -> TrialOutcome:
    if isinstance(outcome, BaseException):
        raise outcome
    if isinstance(outcome, TrialOutcome) and code == 0:
        return outcome
    if code == KILLED:
        raise OutOfMemoryError("the trial's process was killed", remedy="leave larger batches out of tuning.space")
    raise RuntimeError(outcome if isinstance(outcome, str) else f"the trial's process ended with code {code}")


def _nurse(connection: Connection, like: FineTuning) -> None:
    """Forks once for each order. This process computes with one thread: others would be lost in a fork."""
    end_with_parent()
    send_lines(connection)
    torch.set_num_threads(1)
    untrained = None if like.compute.device == "cuda" else untrained_model(like)
    gc.collect()
    gc.freeze()
    try:
        while True:
            order: PreparedTrial = connection.recv()
            trial = os.fork()
            if not trial:
                _train(connection, order, untrained if _same_base(order.job, like) else None)
            _, status = os.waitpid(trial, 0)
            connection.send(("ended", os.waitstatus_to_exitcode(status)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _same_base(job: FineTuning, like: FineTuning) -> bool:
    """Whether both start from the same weights with the same head."""
    return all(
        read(job) == read(like)
        for read in (
            lambda each: (each.model, each.head, each.compute.frozen_dtype, each.compute.attention),
            lambda each: (each.training.seed, each.training.dropout),
        )
    )


def _train(connection: Connection, order: PreparedTrial, untrained: torch.nn.Module | None) -> None:
    """In the fork: never returns."""
    end_with_parent()
    code = 0
    try:
        outcome = train_trial(
            order.job,
            order.work,
            untrained=untrained,
            on_metrics=partial(send_metrics, connection),
            judge=partial(_ask, connection),
        )
        connection.send(("outcome", outcome))
    except LuthierError as error:
        connection.send(("outcome", error))
    except Exception as error:  # noqa: BLE001 (a fork must not go on as its parent; the parent says it)
        code = 1
        connection.send(("outcome", _explained(error)))
    finally:
        os._exit(code)


def _explained(error: Exception) -> LuthierError | str:
    if is_out_of_memory(error):
        said = str(error).partition("\n")[0]
        return OutOfMemoryError("the memory ran out", where="trial", received=said)
    return "".join(traceback.format_exception(error))


def _ask(connection: Connection, standing: Standing) -> bool:
    connection.send(("standing", standing))
    return connection.recv()
