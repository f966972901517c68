"""Reconciliation: runs whose process is gone get the end that they could not write themselves."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from socket import gethostname
from typing import Any

import dagster as dg
from dagster._core.storage.runs import SqliteRunStorage

from luthier.process_identity import ProcessIdentity
from resources.journal import RunStart
from resources.synchronizer import sync_journals
from resources.tracking_process import tagged_process
from resources.tracking_store import TrackingStore, Unreachable, pages

log = logging.getLogger("luthier.tracking")

ENDS = {
    dg.DagsterRunStatus.SUCCESS: "FINISHED",
    dg.DagsterRunStatus.FAILURE: "FAILED",
    dg.DagsterRunStatus.CANCELED: "KILLED",
}
UNDER_WAY = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]
# Its value is the run itself: one that tries it again has copies of its tags.
ORPHANED = "luthier/orphaned"


@dataclass(frozen=True)
class Closed:
    """A run that was closed: of Dagster or MLflow (``where``), with the status it got."""

    where: str
    run_id: str
    name: str
    status: str
    dagster_run_id: str


class Reconciliation:
    """One pass over the runs of this home and this host."""

    def __init__(self, store: TrackingStore, instance: dg.DagsterInstance):
        self.store = store
        self.instance = instance
        self.closed: list[Closed] = []

    def reconcile(self) -> list[Closed]:
        if isinstance(self.instance.run_storage, SqliteRunStorage):  # then all its runs are of this machine
            for run in self.instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY)):
                self.end_of(run.run_id)
        report = sync_journals(self.store, abandoned=self._end_of_abandoned)
        if report.problem:
            log.warning("%s; runs left open there are closed by a later `luthier sync`", report.problem)
            return self.closed
        try:
            with self.store.reaching():
                for run in self._open_runs():
                    self._close(run)
        except Unreachable as error:
            log.warning("MLflow at %s is unreachable (%s)", self.store.shown_uri, error)
        return self.closed

    def end_of(self, dagster_run_id: str) -> str | None:
        """The MLflow status that a Dagster run's end means, or None while it goes on. An orphan is failed first."""
        run = self.instance.get_run_by_id(dagster_run_id)
        if run is None or run.tags.get(ORPHANED) == run.run_id:
            return "KILLED"
        if run.is_finished:
            return ENDS[run.status]
        process = executing_process(self.instance, run)
        if process is None or process.alive():
            return None
        self.instance.report_run_failed(run, f"The process that executed this run (pid {process.pid}) is gone.")
        self.instance.add_run_tags(run.run_id, {ORPHANED: run.run_id})
        if self.instance.event_log_storage.supports_global_concurrency_limits:
            # Else the next training would wait for this one.
            self.instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        self.closed.append(Closed("dagster", run.run_id, run.job_name, "FAILURE", run.run_id))
        return "KILLED"

    def _end_of_abandoned(self, start: RunStart) -> str:
        return "FAILED" if self.end_of(start.tags["luthier.dagster_run_id"]) == "FAILED" else "KILLED"

    def _open_runs(self) -> Iterator[Any]:
        client = self.store.client
        mine = f"attributes.status = 'RUNNING' AND tags.`luthier.host` = '{gethostname()}'"
        for experiments in pages(client.search_experiments):
            names = [experiment.experiment_id for experiment in experiments]
            for runs in list(pages(client.search_runs, experiment_ids=names, filter_string=mine)):
                yield from (run for run in runs if run.data.tags.get("luthier.home") == str(self.store.home))

    def _close(self, run: Any) -> None:
        tags = run.data.tags
        dagster_run_id = tags["luthier.dagster_run_id"]
        end = self.end_of(dagster_run_id)
        if "mlflow.parentRunId" in tags:
            process = tagged_process(tags)
            if process is None or process.alive():
                return
            end = "FAILED" if end == "FAILED" else "KILLED"
        elif end is not None:
            self.store.forget_run(tags["luthier.journal"])
        if end is not None:
            self.store.client.set_terminated(run.info.run_id, end, self._end_time(dagster_run_id))
            self.closed.append(Closed("mlflow", run.info.run_id, run.info.run_name, end, dagster_run_id))

    def _end_time(self, dagster_run_id: str) -> int | None:
        """Milliseconds; None, for now, where Dagster knows none."""
        record = self.instance.get_run_record_by_id(dagster_run_id)
        return int(record.end_time * 1000) if record and record.end_time else None


def executing_process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> ProcessIdentity | None:
    """The process that executes a run: from the tags of who launched it, else from Dagster's events.

    A re-execution carries copies of the first run's tags, so there they say nothing.
    """
    if run.parent_run_id is None and (tagged := tagged_process(run.tags, "/")):
        return tagged
    if run.tags.get("luthier/host") not in (None, gethostname()):
        return None
    events = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT, ascending=False)
    for record in events.records:
        event = record.event_log_entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event else None
        if pid is not None:
            return ProcessIdentity(int(str(pid.value)), seen=record.event_log_entry.timestamp)
    return None
