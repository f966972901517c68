"""The MLflow store: database, experiments and runs, each found or created once, whatever runs in parallel."""

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock

from luthier.digest import digest_of
from luthier.durable import written_whole
from resources.journal import RunStart, safe

log = logging.getLogger("luthier.tracking")

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}
# MLflow's own defaults wait for minutes; whoever sets these keeps them.
HTTP_LIMITS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
LOCK_SECONDS = 60.0


# Opens the experiment's page at its training runs.
TRAINING = {"mlflow.experimentKind": "custom_model_development"}


class Unreachable(Exception):
    """MLflow did not answer, or answered with a fault of its own."""


@dataclass(frozen=True)
class RunRef:
    """A run in MLflow."""

    run_id: str
    experiment_id: str


class TrackingStore:
    """What lies behind one tracking URI, with ``<home>/tracking`` for what must be agreed between processes."""

    def __init__(self, uri: str, home: Path):
        self.uri = uri
        self.home = home
        self.folder = home / "tracking"
        self._known: dict[str, RunRef] = {}

    @property
    def is_http(self) -> bool:
        return self.uri.startswith(("http://", "https://"))

    @property
    def shown_uri(self) -> str:
        return _without_password(self.uri)

    @property
    def page_uri(self) -> str | None:
        """Where a server's pages are; no name and no password stands in it."""
        return re.sub(r"^(https?://)[^/]*@", r"\1", self.uri) if self.is_http else None

    @cached_property
    def client(self) -> Any:
        """An MLflow client that was answered once. A database is initialised by the first process that comes."""
        configure_mlflow()
        with _quiet("alembic", "mlflow.store.db.utils"):
            from mlflow import MlflowClient

            with nullcontext() if self.is_http else self._lock():
                client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
                client.search_experiments(max_results=1)
        return client

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Whatever MLflow, its database or the network raises becomes ``Unreachable``."""
        try:
            yield
        except Exception as error:
            raise Unreachable(_reason(error)) from error

    def obtain_run(self, start: RunStart) -> RunRef:
        """The run for ``start``: remembered, found by its key, or created; its parent likewise."""
        if start.key not in self._known:
            client = self.client
            with self._lock():
                self._obtain(client, start)
        return self._known[start.key]

    def forget_runs(self) -> None:
        """Looks every run up again: the store may have lost them."""
        self._known.clear()

    def refused(self, error: Exception) -> bool:
        """Whether MLflow understood a request and will never accept it, in contrast to a fault that may pass."""
        from mlflow.exceptions import MlflowException, RestException

        if not isinstance(error, MlflowException) or (self.is_http and not isinstance(error, RestException)):
            return False
        return error.get_http_status_code() in (400, 409, 413, 422)

    def run_exists(self, run_id: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            self.client.get_run(run_id)
        except MlflowException as error:
            if error.get_http_status_code() != 404:
                raise
            return False
        return True

    def _obtain(self, client: Any, start: RunStart) -> RunRef:
        parent = self._obtain(client, start.parent) if start.parent else None
        ref = self._remembered(start) or self._found_or_created(client, start, parent)
        self._known[start.key] = ref
        return ref

    def _remembered(self, start: RunStart) -> RunRef | None:
        file = self._memory(start.key)
        known = json.loads(file.read_text()) if file.is_file() else None
        return RunRef(**known) if known and self.run_exists(known["run_id"]) else None

    def _found_or_created(self, client: Any, start: RunStart, parent: RunRef | None) -> RunRef:
        experiment = self._experiment(client, start.recipe)
        found = client.search_runs([experiment], f"tags.`luthier.journal` = '{start.key}'", max_results=1)
        if found:
            run = found[0]
        else:
            tags = {**start.tags, "luthier.journal": start.key}
            if parent:
                tags["mlflow.parentRunId"] = parent.run_id
            run = client.create_run(experiment, start_time=start.time, tags=tags, run_name=start.name)
        ref = RunRef(run.info.run_id, run.info.experiment_id)
        with written_whole(self._memory(start.key)) as path:
            path.write_text(json.dumps(asdict(ref)))
        return ref

    def _experiment(self, client: Any, name: str) -> str:
        from mlflow.exceptions import MlflowException

        place = None if self.is_http else (self.home / "mlartifacts" / safe(name)).as_uri()
        found = client.get_experiment_by_name(name)
        if found is None:
            try:
                return client.create_experiment(name, artifact_location=place, tags=TRAINING)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = client.get_experiment_by_name(name)
        if found.lifecycle_stage == "deleted":
            log.warning("experiment %s was deleted in MLflow: restored", name)
            client.restore_experiment(found.experiment_id)
        return found.experiment_id

    def _memory(self, key: str) -> Path:
        return self.folder / f"{safe(key)}.{digest_of(self.uri)[:8]}.run"

    def forget_run(self, key: str) -> None:
        """Removes what is remembered of a run that has ended; it is still found by its key."""
        self._memory(key).unlink(missing_ok=True)

    def _lock(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "mlflow.lock", timeout=LOCK_SECONDS)


def configure_mlflow() -> None:
    """No telemetry, no background logging of MLflow's own, no pickle, short waits; before mlflow is imported."""
    os.environ |= SETTINGS
    for name, value in HTTP_LIMITS.items():
        os.environ.setdefault(name, value)
    retries = logging.getLogger("urllib3.connectionpool")
    if retries.level == logging.NOTSET:
        retries.setLevel(logging.ERROR)  # it would warn of every attempt; ours warns of the outage


def pages(search: Any, **arguments: Any) -> Iterator[Any]:
    """All pages of one of MLflow's searches."""
    page = search(**arguments)
    yield page
    while page.token:
        page = search(**arguments, page_token=page.token)
        yield page


def denied(error: BaseException | None) -> bool:
    """Whether MLflow answered that it does not know the user, or that the user may not do this."""
    from mlflow.exceptions import MlflowException

    return isinstance(error, MlflowException) and error.get_http_status_code() in (401, 403)


def _reason(error: BaseException) -> str:
    """One line: the operating system's word where it is the root, else MLflow's."""
    root = error
    while (deeper := root.__cause__ or root.__context__) is not None:
        root = deeper
    told = root if isinstance(root, OSError) else error
    lines = str(told).strip().splitlines() or [""]
    checks = "access denied, check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; " if denied(error) else ""
    return checks + _without_password(f"{type(told).__name__}: {lines[0][:300]}")


def _without_password(text: str) -> str:
    return re.sub(r"(://[^/@:\s]*):[^@/\s]*@", r"\1:***@", text)


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
