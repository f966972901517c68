"""A run as the work sees it: every call is written to the journal and returns at once."""

import logging
import posixpath
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from luthier.errors import LuthierError
from resources.journal import Journal, safe
from resources.synchronizer import Synchronizer
from resources.tracking_store import RunRef
from resources.tracking_view import VERDICTS, experiment_tags

log = logging.getLogger("luthier.tracking")

PARAM_LENGTH = 6000
TAG_LENGTH = 8000
NAME_LENGTH = 250


class TrackedRun:
    """One MLflow run. No call raises for MLflow's sake, and none but ``mlflow_run_id`` and ``link`` waits for it."""

    def __init__(self, journal: Journal, synchronizer: Synchronizer, url: Callable[[RunRef], str], patience: float):
        self._journal = journal
        self._synchronizer = synchronizer
        self._url = url
        self._patience = patience
        self._lossless = True
        self._params: dict[str, str] = {}

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Values as text. One too long for MLflow is cut short, and whole as artifact ``long_params/<name>.txt``."""
        values = {valid_name(name): str(value) for name, value in params.items()}
        changed = [name for name, value in values.items() if self._params.setdefault(name, value) != value]
        if changed:
            log.warning("parameters of a run are logged once, the first value stays: %s", ", ".join(changed))
        values = {name: value for name, value in values.items() if name not in changed}
        for name, value in values.items():
            if len(value) > PARAM_LENGTH:
                file = f"long_params/{safe(name)}.txt"
                log.info("parameter %s is cut to %d characters; all of it is in %s", name, PARAM_LENGTH, file)
                self.log_text(value, file)
        self._append("params", params={name: shortened(value, PARAM_LENGTH) for name, value in values.items()})

    def log_metrics(self, metrics: Mapping[str, Any], *, step: int = 0, timestamp: int | None = None) -> None:
        """``timestamp`` in milliseconds since 1970. NaN and infinity are kept; what is no number is left out."""
        values = {valid_name(name): _number(name, value) for name, value in metrics.items()}
        known = {name: value for name, value in values.items() if value is not None}
        self._append("metrics", metrics=known, step=int(step), time=timestamp or _now())

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        self._append("tags", tags=valid_tags(tags))

    def rename(self, name: str) -> None:
        """The name that MLflow lists the run by from now on."""
        self.set_tags({"mlflow.runName": name})

    def show_first(self, metric: str) -> None:
        """Has the experiment's page offer views in which ``metric`` is the first column."""
        self._append("experiment", tags=experiment_tags(valid_name(metric)))

    def log_dataset(self, name: str, digest: str, source: str, context: str) -> None:
        """A dataset input; ``context`` says what for: training, validation, test."""
        self._append("dataset", name=name, digest=digest, source=source, context=context)

    def log_artifact(self, path: Path, artifact_path: str | None = None) -> None:
        """Keeps a copy of a file or folder until it is sent; a folder arrives as ``<artifact_path>/<its name>``."""
        self._keep(lambda: self._journal.keep(Path(path)), artifact_path)

    def log_text(self, text: str, artifact_file: str) -> None:
        """Text as the artifact ``artifact_file``."""
        folder, name = posixpath.split(artifact_file)

        def written() -> Path:
            file = self._journal.keeping_place() / name
            file.write_text(text)
            return file

        self._keep(written, folder or None)

    @property
    def mlflow_run_id(self) -> str | None:
        """None when MLflow is not reached within the tracking's patience."""
        ref = self._synchronizer.ref(self._patience)
        return ref.run_id if ref else None

    def required_run_id(self) -> str:
        """The run's id, for what needs MLflow now; raises ``LuthierError`` when it is not reached."""
        run_id = self.mlflow_run_id
        if run_id is None:
            raise LuthierError("MLflow is unreachable", remedy="start it, then materialize again: all else is reused")
        return run_id

    def link(self) -> dg.MetadataValue:
        """For Dagster's metadata: the run's page, or that MLflow was not reached."""
        ref = self._synchronizer.ref(self._patience)
        return dg.MetadataValue.url(self._url(ref)) if ref else dg.MetadataValue.text("MLflow was not reached")

    def experiment_link(self) -> dg.MetadataValue:
        """For Dagster's metadata: the page of all runs of the recipe, or that MLflow was not reached."""
        ref = self._synchronizer.ref(self._patience)
        if ref is None:
            return dg.MetadataValue.text("MLflow was not reached")
        runs = self._url(ref).rpartition("/")[0]
        return dg.MetadataValue.url(f"{runs}?viewStateShareKey={VERDICTS}")

    def end(self, status: str | None) -> None:
        """``status`` None leaves the run itself going: its end is another's to say."""
        self._append("end", status=status, time=_now())
        try:
            self._journal.close()
        except OSError as error:
            log.warning("the journal may not be on disk: %s", error)
        self._synchronizer.close(self._patience)

    def _keep(self, place: Callable[[], Path], artifact_path: str | None) -> None:
        try:
            kept = place()
        except OSError as error:
            log.warning("artifact not tracked: %s", error)
            return
        self._append("artifact", path=str(kept), artifact_path=artifact_path)

    def _append(self, kind: str, **fields: Any) -> None:
        try:
            self._journal.append(kind, **fields)
        except OSError as error:
            if self._lossless:
                log.warning("tracking records are lost: %s", error)
            self._lossless = False


def valid_name(name: str) -> str:
    """``name`` as MLflow takes it for a parameter, a metric or a tag: ``f1(macro)`` becomes ``f1_macro_``."""
    parts = re.sub(r"[^/\w.\- :]", "_", str(name)).split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))[:NAME_LENGTH].rstrip("/") or "unnamed"


def valid_tags(tags: Mapping[str, Any]) -> dict[str, str]:
    return {valid_name(name): shortened(str(value), TAG_LENGTH) for name, value in tags.items()}


def shortened(text: str, length: int) -> str:
    """At most ``length`` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _number(name: str, value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        log.warning("metric %s left out: %s", name, error)
        return None


def _now() -> int:
    return int(time.time() * 1000)
