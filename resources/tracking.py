"""Tracking: one MLflow experiment per recipe, one parent run per Dagster run, nested runs for its parts."""

import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from resources.journal import Journal, RunStart, safe
from resources.model_aliases import ModelAliases
from resources.synchronizer import Synchronizer, SyncReport, sync_journals
from resources.tracking_process import process_tags
from resources.tracking_reconciliation import Closed, Reconciliation
from resources.tracking_registry import ModelRegistry
from resources.tracking_run import TrackedRun, valid_tags
from resources.tracking_store import RunRef, TrackingStore, Unreachable

DIGEST_TAG = "luthier.digest"
# Of a registered version: what it was made of, and the report that it was registered because of.
ADAPTER_TAG = "luthier.adapter"
REPORT_TAG = "luthier.evaluation_report"
# What its report found, and that what the registry hands back answers as it should.
SCORE_TAG = "luthier.score"
PROOF_TAG = "luthier.proof"


class Tracking(dg.ConfigurableResource):
    """Records runs on disk first and sends them to MLflow from the background, so that MLflow cannot stop a run."""

    home: str = Field(description="LUTHIER_HOME.")
    uri: str | None = Field(
        default=None,
        description="MLflow tracking URI; MLFLOW_TRACKING_URI wins. Without either, <home>/mlflow.db.",
    )
    dagster_port: int = Field(default=3000, description="Port of the Dagster pages that runs link to.")
    mlflow_port: int = Field(default=5000, description="Port of the MLflow pages that assets link to.")
    patience: float = Field(default=30.0, description="Seconds to wait for MLflow, at most, when a run ends.")

    @property
    def tracking_uri(self) -> str:
        default = f"sqlite:///{Path(self.home).resolve() / 'mlflow.db'}"
        return os.environ.get("MLFLOW_TRACKING_URI") or self.uri or default

    @property
    def store(self) -> TrackingStore:
        return TrackingStore(self.tracking_uri, Path(self.home).resolve())

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.store)

    def prepare(self) -> None:
        """Initialises MLflow's database, once; before a server is started on it."""
        self.store.client  # noqa: B018

    @contextmanager
    def run(
        self, *, asset: str, name: str, dagster_run_id: str, recipe: str, tags: Mapping[str, str] | None = None
    ) -> Iterator[TrackedRun]:
        """A nested run. It ends FINISHED; FAILED by an exception; KILLED by an interrupt."""
        parent = self._start(dagster_run_id, recipe)
        run = self._open(self._start(dagster_run_id, recipe, asset=asset, name=name, tags=tags, parent=parent))
        try:
            yield run
        except Exception:
            run.end("FAILED")
            raise
        except BaseException:
            run.end("KILLED")
            raise
        else:
            run.end("FINISHED")

    @contextmanager
    def parent(self, dagster_run_id: str, recipe: str) -> Iterator[TrackedRun]:
        """The Dagster run's own run in MLflow. ``reconcile`` ends it, when the Dagster run has ended."""
        run = self._open(self._start(dagster_run_id, recipe))
        try:
            yield run
        finally:
            run.end(None)

    def link_to(self, mlflow_run_id: str | None) -> dg.MetadataValue:
        """For Dagster's metadata: the page of a run, or that MLflow is not reached."""
        store = self.store
        if mlflow_run_id is None:
            return dg.MetadataValue.text("MLflow was not reached")
        try:
            with store.reaching():
                experiment = store.client.get_run(mlflow_run_id).info.experiment_id
        except Unreachable:
            return dg.MetadataValue.text("MLflow was not reached")
        return dg.MetadataValue.url(self._page(RunRef(mlflow_run_id, experiment)))

    def sync_all(self) -> SyncReport:
        """Sends what was kept while MLflow was unreachable, each record once."""
        return sync_journals(self.store)

    def reconcile(self, instance: dg.DagsterInstance) -> list[Closed]:
        """Sends what was kept, then closes runs, here and in Dagster, whose process is gone or whose run has ended."""
        return Reconciliation(self.store, instance).reconcile()

    def aliases(self, name: str) -> ModelAliases:
        """Who is champion and challenger of a registered model, and who was."""
        return ModelAliases(self.registry, name)

    def register_model(
        self,
        package: Path,
        *,
        name: str,
        mlflow_run_id: str,
        tags: Mapping[str, str],
        metrics: Mapping[str, float],
        description: str | None = None,
    ) -> str:
        """Registers a folder that ``mlflow.pyfunc.save_model`` made, as it is, and gives its version."""
        return self.registry.register(package, name, mlflow_run_id, tags, metrics, description)

    def champion(self, name: str) -> str | None:
        return self.registry.champion(name)

    def version_tags(self, name: str, version: str) -> dict[str, str]:
        return self.registry.version_tags(name, version)

    def find_version(self, name: str, digest: str, *, tag: str = DIGEST_TAG) -> str | None:
        """The newest version whose ``tag`` is ``digest`` and whose files are there."""
        return self.registry.find_version(name, digest, tag)

    def load_version(self, name: str, version: str | None = None) -> Any:
        return self.registry.load_version(name, version)

    def _page(self, ref: RunRef) -> str:
        uri = self.store.page_uri
        base = uri.rstrip("/") if uri else f"http://127.0.0.1:{self.mlflow_port}"
        return f"{base}/#/experiments/{ref.experiment_id}/runs/{ref.run_id}"

    def _open(self, start: RunStart) -> TrackedRun:
        store = self.store
        journal = Journal(store.folder, start)
        synchronizer = Synchronizer(journal, store)
        synchronizer.start()
        return TrackedRun(journal, synchronizer, self._page, self.patience)

    def _start(
        self,
        dagster_run_id: str,
        recipe: str,
        *,
        asset: str = "all",
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        parent: RunStart | None = None,
    ) -> RunStart:
        page = f"http://127.0.0.1:{self.dagster_port}/runs/{dagster_run_id}"
        described = {
            "luthier.recipe": recipe,
            "luthier.dagster_run_id": dagster_run_id,
            "luthier.asset": asset,
            "luthier.home": str(Path(self.home).resolve()),
            "luthier.dagster_url": page,
            "mlflow.note.content": f"[Dagster run {dagster_run_id[:8]}]({page})",
            **process_tags(),
            **valid_tags(tags or {}),
        }
        title = name or f"{recipe} {dagster_run_id[:8]}"
        key = f"{name}-{uuid.uuid4().hex}" if name else f"parent-{dagster_run_id}-{recipe}"
        return RunStart(safe(key), title, recipe, int(time.time() * 1000), described, parent)
