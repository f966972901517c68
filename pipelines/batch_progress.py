"""How far a batch of answers is, for people."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.console import Console

if TYPE_CHECKING:
    from luthier.prediction.batch import Progress

log = logging.getLogger("luthier.prediction")

LOG_SECONDS = 15.0


class Teller(Protocol):
    """Is told how far a batch is."""

    def tell(self, progress: "Progress") -> None: ...


class Bar:
    """A bar with rows a second and the time that remains, on a terminal."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        rate = TextColumn("{task.fields[rate]}")
        self.shown = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            rate,
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=60,
        )
        self.task = self.shown.add_task("looking at the input", total=None, rate="")
        self.began = 0.0

    def tell(self, progress: "Progress") -> None:
        if not self.began:
            self.began = time.monotonic()
            # A fresh task: rows of an earlier call are not this one's speed.
            self.shown.remove_task(self.task)
            self.task = self.shown.add_task("rows", total=progress.rows, completed=progress.done, rate="")
        rate = f"{_rate(progress, self.began):,.0f}/s" if progress.done > progress.before else ""
        self.shown.update(self.task, completed=progress.done, rate=rate)


class Lines:
    """A line now and then, elsewhere."""

    def __init__(self) -> None:
        self.began = self.said = 0.0

    def tell(self, progress: "Progress") -> None:
        now = time.monotonic()
        if not self.began:
            self.began = self.said = now
            goes_on = f", {progress.before:,} of them before" if progress.before else ""
            log.info("%s rows to answer%s", f"{progress.rows:,}", goes_on)
        elif progress.done < progress.rows and now - self.said >= LOG_SECONDS:
            self.said = now
            rate = _rate(progress, self.began)
            left = (progress.rows - progress.done) / rate
            log.info(
                "%s of %s rows, %.0f a second, %.0f s left", f"{progress.done:,}", f"{progress.rows:,}", rate, left
            )


def _rate(progress: "Progress", began: float) -> float:
    return (progress.done - progress.before) / max(time.monotonic() - began, 1e-9)


@contextmanager
def progress(console: Console) -> Iterator[Teller]:
    """What shows how far a batch is: a bar on a terminal, log lines elsewhere."""
    if not console.is_terminal:
        logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
        logging.getLogger("luthier").setLevel(logging.INFO)
        yield Lines()
        return
    bar = Bar(console)
    with bar.shown:
        yield bar
