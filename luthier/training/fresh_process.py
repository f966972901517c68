"""A training in a process of its own, with nothing in memory that went before."""

import ctypes
import logging
import multiprocessing
import platform
import signal
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Protocol, TypeVar

from luthier.errors import LuthierError, OutOfMemoryError
from luthier.training.callbacks import MetricsSink

Result = TypeVar("Result", covariant=True)

KILLED = -9
PR_SET_PDEATHSIG = 1


class Work(Protocol[Result]):
    """What is done there; it and its result can be pickled."""

    def __call__(self, *, on_metrics: MetricsSink) -> Result: ...


def in_fresh_process(work: Work[Result], *, on_metrics: MetricsSink) -> Result:
    """The result of ``work``; its metrics and log lines arrive here as if it had run here.

    Raises:
        LuthierError: what ``work`` raised.
        OutOfMemoryError: the process was killed.
    """
    spawn = multiprocessing.get_context("spawn")
    receiving, sending = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_serve, args=(sending, work))
    process.start()
    sending.close()
    try:
        return _answer(receiving, on_metrics)
    except EOFError:
        process.join()
        if process.exitcode == KILLED:
            raise OutOfMemoryError("the training process was killed", remedy="lower training.batch_size") from None
        raise RuntimeError(f"the training process ended with code {process.exitcode}") from None
    finally:
        process.terminate()
        process.join()


def _answer(receiving: Connection, on_metrics: MetricsSink) -> Any:
    receivers: Mapping[str, Callable[..., object]] = {"metrics": on_metrics, "line": repeat_line}
    while True:
        kind, *content = receiving.recv()
        if kind in receivers:
            receivers[kind](*content)
        elif kind == "mistake":
            raise content[0]
        else:
            return content[0]


def _serve(sending: Connection, work: Work[Any]) -> None:
    end_with_parent()
    send_lines(sending)
    try:
        sending.send(("result", work(on_metrics=partial(send_metrics, sending))))
    except LuthierError as error:
        sending.send(("mistake", error))


def end_with_parent() -> None:
    """Where the process that waits for the result is killed, this one would work on for nobody (Linux: prctl(2))."""
    if platform.system() == "Linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def send_metrics(sending: Connection, values: Mapping[str, float], step: int) -> None:
    sending.send(("metrics", dict(values), step))


def send_lines(sending: Connection) -> None:
    """From now on the library's log lines arrive where ``repeat_line`` is called with them."""
    luthier = logging.getLogger("luthier")
    luthier.setLevel(logging.INFO)
    luthier.addHandler(Lines(sending))


def repeat_line(name: str, level: int, text: str) -> None:
    """Logs a line that another process sent."""
    logging.getLogger(name).log(level, "%s", text)


class Lines(logging.Handler):
    """Sends the text of each record to the process that waits for the result."""

    def __init__(self, sending: Connection) -> None:
        super().__init__()
        self.sending = sending

    def emit(self, record: logging.LogRecord) -> None:
        self.sending.send(("line", record.name, record.levelno, record.getMessage()))
