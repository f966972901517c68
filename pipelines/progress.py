"""What a person sees while a run goes on: one line for each asset, and the newest log line of the running one."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from rich.console import Console
from rich.markup import escape
from rich.status import Status

POLL_SECONDS = 0.5


class Follower(threading.Thread):
    """Prints the events of the run that carries a tag as Dagster records them."""

    def __init__(self, instance: dg.DagsterInstance, tag: tuple[str, str], console: Console) -> None:
        super().__init__(daemon=True)
        self.instance, self.tag, self.console = instance, tag, console
        self.done = threading.Event()
        self.began = time.time()
        self.started: dict[str, float] = {}
        self.status: Status | None = None
        self.cursor: str | None = None

    def run(self) -> None:
        while not self.done.wait(POLL_SECONDS):
            self.show_new()

    def show_new(self) -> None:
        """Prints what was recorded since the last call."""
        for run in self.instance.get_runs(dg.RunsFilter(tags=dict([self.tag])), limit=1):
            while True:
                connection = self.instance.get_records_for_run(run.run_id, cursor=self.cursor, limit=500)
                self.cursor = connection.cursor
                for record in connection.records:
                    self.show(record.event_log_entry)
                if not connection.has_more:
                    break

    def show(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        step = entry.step_key or ""
        if event is None:
            # Of steps that never begin, Dagster says once for each that one before it failed.
            if not step or step in self.started:
                self.tell(step, entry.user_message)
        elif event.is_step_start:
            self.started[step] = entry.timestamp
            self.tell(step, "started")
        elif event.is_step_materialization:
            seconds = entry.timestamp - self.started.get(step, entry.timestamp)
            metadata = event.step_materialization_data.materialization.metadata
            word = "reused" if metadata["reused"].value else "made"
            self.keep(f"[green]✓[/] {step} [dim]{word} in {seconds:.1f} s[/]")
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if not check.passed:
                self.keep(f"[yellow]![/] {step} check {check.check_name} failed: {escape(check.description or '')}")
        elif event.is_step_up_for_retry:
            self.keep(f"[yellow]![/] {step} ended before it was done, and begins again")
        elif event.is_step_failure:
            self.keep(f"[red]✗[/] {step} failed")

    def tell(self, step: str, message: str) -> None:
        """Something that the next line may replace."""
        first = message.splitlines()[0] if message else ""
        if self.status is not None:
            self.status.update(f"{step}  [dim]{escape(first)}[/]")
        else:
            self.console.print(f"{self.clock()} {step}: {first}", markup=False, highlight=False)

    def keep(self, line: str) -> None:
        """Something that stays."""
        self.console.print(f"[dim]{self.clock()}[/] {line}", highlight=False)

    def clock(self) -> str:
        minutes, seconds = divmod(round(time.time() - self.began), 60)
        return f"{minutes:d}:{seconds:02d}"


@contextmanager
def following(instance: dg.DagsterInstance, tag: tuple[str, str], console: Console) -> Iterator[None]:
    """Follows the run that will carry ``tag`` for as long as the block runs."""
    follower = Follower(instance, tag, console)
    if console.is_terminal:
        follower.status = console.status("starting")
        follower.status.start()
    follower.start()
    try:
        yield
    finally:
        follower.done.set()
        follower.join()
        follower.show_new()
        if follower.status is not None:
            follower.status.stop()
