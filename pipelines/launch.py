"""Running the job from a terminal, in this process and the steps it forks."""

import json
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

import dagster as dg
import psutil
from rich.console import Console

from luthier.errors import LuthierError
from pipelines.failures import failed_checks, failure_text
from pipelines.progress import following
from resources.artifact_store import MANIFEST
from resources.home import luthier_home, recipes_folder, yield_shared_cores
from resources.tracking_process import process_tags

# Above this the cores are shared with other work.
BUSY_PERCENT = 25


@dataclass(frozen=True)
class Launch:
    """A run that has ended. ``overhead`` is the share of its time in which the library did no work."""

    run_id: str
    success: bool
    seconds: float
    overhead: float
    failures: tuple[str, ...]
    materialized: frozenset[str]


@contextmanager
def diverted_output(log: Path) -> Iterator[TextIO]:
    """Sends what this process and its children print to ``log``; gives a stream to where it went before."""
    log.parent.mkdir(parents=True, exist_ok=True)
    kept = {number: os.dup(number) for number in (1, 2)}
    with log.open("wb") as file, os.fdopen(os.dup(1), "w") as before:
        try:
            for number in kept:
                os.dup2(file.fileno(), number)
            yield before
        finally:
            for number, original in kept.items():
                os.dup2(original, number)
                os.close(original)


def launch(
    name: str,
    *,
    overrides: Sequence[str] = (),
    selection: Sequence[dg.AssetKey] | None = None,
    job: Literal["finetune", "retune", "compare_methods"] = "finetune",
) -> Launch:
    """Runs a job for one recipe, or the ``selection`` of it, shows it, and waits for its end."""
    from pipelines.definitions import compare_methods_job, finetune_job, retune_job, tracking

    jobs = {"finetune": finetune_job, "retune": retune_job, "compare_methods": compare_methods_job}

    if psutil.cpu_percent(interval=0.5) > BUSY_PERCENT:
        yield_shared_cores()
    launch_id = uuid.uuid4().hex
    tags = {
        "dagster/partition": name,
        "luthier/launch": launch_id,
        **process_tags("/"),
    }
    run_config = {
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        "resources": {"recipes": {"config": {"folder": str(recipes_folder()), "overrides": list(overrides)}}},
    }
    with dg.DagsterInstance.get() as instance, diverted_output(luthier_home() / "last-run.log") as terminal:
        # One that was killed may still hold the place of the training.
        tracking.reconcile(instance)
        began = time.time()
        with following(instance, ("luthier/launch", launch_id), Console(file=terminal, soft_wrap=True)):
            result = dg.execute_job(
                dg.reconstructable(jobs[job]),
                instance=instance,
                run_config=run_config,
                tags=tags,
                asset_selection=selection,
            )
        ended = time.time()
        tracking.reconcile(instance)
    with result:
        events = result.all_events
    said = failed_checks(events)
    return Launch(
        run_id=result.run_id,
        success=result.success,
        seconds=ended - began,
        overhead=1 - covered(library_times(events), began, ended) / (ended - began),
        failures=tuple(failure_text(event, said) for event in events if event.is_step_failure),
        materialized=frozenset(
            e.step_materialization_data.materialization.asset_key.to_user_string()
            for e in events
            if e.is_step_materialization
        ),
    )


def downstream_of(asset: str) -> list[dg.AssetKey]:
    """The asset and everything after it, within the job ``finetune``."""
    from pipelines.definitions import defs
    from pipelines.jobs import FINETUNED

    graph = defs.resolve_asset_graph()
    known = sorted(key.to_user_string() for key in FINETUNED.resolve(graph))
    if asset not in known:
        raise LuthierError("no such asset", received=asset, remedy=f"one of {', '.join(known)}")
    return sorted((dg.AssetSelection.assets(asset).downstream() & FINETUNED).resolve(graph))


def upstream_of(asset: str) -> list[dg.AssetKey]:
    """The asset and everything that it is made from."""
    from pipelines.definitions import defs

    return sorted(dg.AssetSelection.assets(asset).upstream().resolve(defs.resolve_asset_graph()))


def library_times(events: Sequence[dg.DagsterEvent]) -> list[tuple[float, float]]:
    """When the library worked, from the manifests of what was made."""
    materializations = (e.step_materialization_data.materialization for e in events if e.is_step_materialization)
    made = [m.metadata["folder"].value for m in materializations if not m.metadata["reused"].value]
    manifests = [json.loads((Path(str(folder)) / MANIFEST).read_text()) for folder in made]
    return [(began, ended) for began, ended in (manifest["library_time"] for manifest in manifests)]


def covered(intervals: Sequence[tuple[float, float]], began: float, ended: float) -> float:
    """The seconds between ``began`` and ``ended`` that at least one interval covers."""
    total, reached = 0.0, began
    for start, stop in sorted(intervals):
        start, stop = max(start, reached), min(stop, ended)
        if stop > start:
            total += stop - start
            reached = stop
    return total
