"""Delivery: a journal's records in MLflow, in batches, each record once however often it is sent."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from resources.journal import Cursor, Record, read_cursor, read_records, write_cursor
from resources.tracking_store import RunRef, TrackingStore

log = logging.getLogger("luthier.tracking")

RECORDS_AT_ONCE = 500
METRICS_AT_ONCE = 1000
PAIRS_AT_ONCE = 100
DIGEST_LENGTH = 36


@dataclass
class Batch:
    """Consecutive records, by what MLflow takes in one call."""

    metrics: list[tuple[str, float, int, int]] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    experiment: dict[str, str] = field(default_factory=dict)
    datasets: list[Record] = field(default_factory=list)
    artifacts: list[Record] = field(default_factory=list)
    end: Record | None = None
    offset: int = 0

    @classmethod
    def read(cls, path: Path, offset: int) -> "Batch | None":
        batch = cls()
        for record, after in islice(read_records(path, offset), RECORDS_AT_ONCE):
            batch.add(record)
            batch.offset = after
        return batch if batch.offset else None

    def add(self, record: Record) -> None:
        match record["kind"]:
            case "metrics":
                step, time = record["step"], record["time"]
                self.metrics += [(name, value, time, step) for name, value in record["metrics"].items()]
            case "params":
                self.params |= record["params"]
            case "tags":
                self.tags |= record["tags"]
            case "experiment":
                self.experiment |= record["tags"]
            case "dataset":
                self.datasets.append(record)
            case "artifact":
                self.artifacts.append(record)
            case "end":
                self.end = record


def deliver(path: Path, ref: RunRef, store: TrackingStore) -> bool:
    """Sends what ``ref`` does not hold yet, and says whether that was the journal's end.

    The cursor moves after each batch. A crash before that sends the batch again, which MLflow takes as the same
    points, parameters, inputs and files.
    """
    cursor = read_cursor(path)
    if cursor.run_id != ref.run_id:
        cursor = Cursor(ref.run_id)
    while batch := Batch.read(path, cursor.offset):
        Delivery(ref, store).send(batch)
        cursor = Cursor(ref.run_id, batch.offset, cursor.ended or batch.end is not None)
        write_cursor(path, cursor)
    return cursor.ended


class Delivery:
    """One batch on its way. What MLflow refuses for good is left out and named in one warning."""

    def __init__(self, ref: RunRef, store: TrackingStore):
        self.ref = ref
        self.store = store
        self.client = store.client
        self.refusals: list[str] = []

    def send(self, batch: Batch) -> None:
        from mlflow.entities import Metric, Param, RunTag

        run_id, log_batch = self.ref.run_id, self.client.log_batch
        params = [Param(*pair) for pair in batch.params.items()]
        tags = [RunTag(*pair) for pair in batch.tags.items()]
        metrics = [Metric(*point) for point in batch.metrics]
        self._in_chunks(params, PAIRS_AT_ONCE, lambda some: log_batch(run_id, params=some))
        self._in_chunks(tags, PAIRS_AT_ONCE, lambda some: log_batch(run_id, tags=some))
        self._in_chunks(list(batch.experiment.items()), 1, lambda some: self._tag_experiment(*some[0]))
        self._in_chunks(metrics, METRICS_AT_ONCE, lambda some: log_batch(run_id, metrics=some))
        self._in_chunks(batch.datasets, PAIRS_AT_ONCE, lambda some: self.client.log_inputs(run_id, _inputs(some)))
        self._in_chunks(batch.artifacts, 1, lambda some: self._upload(some[0]))
        if batch.end and batch.end["status"]:
            self.client.set_terminated(run_id, batch.end["status"], batch.end["time"])
        if self.refusals:
            log.warning("MLflow refused %d records, for instance: %s", len(self.refusals), self.refusals[0])

    def _in_chunks(self, items: Sequence[Any], size: int, call: Callable[[Sequence[Any]], object]) -> None:
        for first in range(0, len(items), size):
            self._send(items[first : first + size], call)

    def _send(self, items: Sequence[Any], call: Callable[[Sequence[Any]], object]) -> None:
        """Halves what is refused until the refused item stands alone."""
        try:
            call(items)
        except Exception as error:
            if not self.store.refused(error):
                self.store.forget_runs()
                raise
            if len(items) == 1:
                self.refusals.append(f"{items[0]}: {str(error)[:300]}")
                return
            half = len(items) // 2
            self._send(items[:half], call)
            self._send(items[half:], call)

    def _tag_experiment(self, name: str, value: str) -> None:
        self.client.set_experiment_tag(self.ref.experiment_id, name, value)

    def _upload(self, record: Record) -> None:
        path = Path(record["path"])
        if not path.exists():
            self.refusals.append(f"{path} is gone")
        elif path.is_dir():
            place = "/".join(part for part in (record["artifact_path"], path.name) if part)
            self.client.log_artifacts(self.ref.run_id, str(path), place)
        else:
            self.client.log_artifact(self.ref.run_id, str(path), record["artifact_path"])


def _inputs(records: Sequence[Record]) -> list[Any]:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    return [
        DatasetInput(
            Dataset(
                name=record["name"],
                digest=record["digest"][:DIGEST_LENGTH],
                source_type="local",
                source=json.dumps({"uri": record["source"]}),
                profile=json.dumps({"digest": record["digest"]}),
            ),
            tags=[InputTag("mlflow.data.context", record["context"])],
        )
        for record in records
    ]
