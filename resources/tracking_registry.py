"""The model registry: packages as versions of a model, and the one called champion."""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from luthier.errors import LuthierError
from resources.tracking_store import TrackingStore, Unreachable, denied, pages

log = logging.getLogger("luthier.tracking")

CHAMPION = "champion"
CHAMPION_TAG = "luthier.champion"


class ModelRegistry:
    """MLflow's registry behind ``store``. Unlike tracking it needs MLflow now: all raise ``LuthierError`` without."""

    def __init__(self, store: TrackingStore):
        self.store = store

    def register(
        self, package: Path, name: str, run_id: str, tags: Mapping[str, str], metrics: Mapping[str, float]
    ) -> str:
        """Stores the folder as a logged model of the run, byte for byte, and makes it the next version of ``name``."""
        if not (package / "MLmodel").is_file():
            raise LuthierError("no MLflow model", where=str(package), remedy="save it with mlflow.pyfunc.save_model")
        with self._answering(), _default_uri(self.store.uri):
            model_id = self._logged_model(package, name, run_id, tags, metrics)
            self._registered_model(name)
            version = self.store.client.create_model_version(
                name, f"models:/{model_id}", run_id=run_id, tags=dict(tags), model_id=model_id, await_creation_for=30
            )
        return str(version.version)

    def set_champion(self, name: str, version: str) -> None:
        """Moves the alias, then the tag that marks the run which made the champion."""
        with self._answering():
            self.store.client.set_registered_model_alias(name, CHAMPION, version)
        try:
            with self.store.reaching():
                self._mark_champion(name, version)
        except Unreachable as error:
            log.warning("%s version %s is the champion, its run in MLflow is not marked so: %s", name, version, error)

    def champion(self, name: str) -> str | None:
        return self.version_by_alias(name, CHAMPION)

    def version_by_alias(self, name: str, alias: str) -> str | None:
        """None where no version has the alias."""
        from mlflow.exceptions import MlflowException

        with self._answering():
            try:
                return str(self.store.client.get_model_version_by_alias(name, alias).version)
            except MlflowException as error:
                if self.store.refused(error) or error.get_http_status_code() == 404:
                    return None
                raise

    def _mark_champion(self, name: str, version: str) -> None:
        """Other runs of the model's versions lose the mark, whichever crash or person left it there."""
        client = self.store.client
        maker, mark = client.get_model_version(name, version).run_id, f"{name} {version}"
        experiments = [found.experiment_id for page in pages(client.search_experiments) for found in page]
        marked = f"tags.`{CHAMPION_TAG}` LIKE '{name} %'"
        for page in list(pages(client.search_runs, experiment_ids=experiments, filter_string=marked)):
            for run in page:
                if run.info.run_id != maker and run.data.tags[CHAMPION_TAG].rpartition(" ")[0] == name:
                    client.delete_tag(run.info.run_id, CHAMPION_TAG)
        if maker and self.store.run_exists(maker):
            client.set_tag(maker, CHAMPION_TAG, mark)

    def version_tags(self, name: str, version: str) -> dict[str, str]:
        """The tags of a registered version."""
        with self._answering():
            return dict(self.store.client.get_model_version(name, version).tags)

    def find_version(self, name: str, digest: str, tag: str) -> str | None:
        """The newest version tagged with ``digest`` whose files are still there."""
        with self._answering():
            versions = self.store.client.search_model_versions(f"name = '{name}'", order_by=["version_number DESC"])
            tagged = (version.version for version in versions if version.tags.get(tag) == digest)
            return next((str(version) for version in tagged if self._has_files(name, version)), None)

    def files(self, name: str, version: str) -> Path | str:
        """Where a version's package lies: a folder of this machine, or a place to download it from."""
        from mlflow.utils.file_utils import local_file_uri_to_path
        from mlflow.utils.uri import is_local_uri

        with self._answering():
            place = self.store.client.get_model_version_download_uri(name, version)
        return Path(local_file_uri_to_path(place)) if is_local_uri(place) else place

    def download(self, place: str, into: Path) -> Path:
        """The package of a place that ``files`` gave, as a folder in ``into``."""
        from mlflow.artifacts import download_artifacts

        with self._answering():
            return Path(download_artifacts(artifact_uri=place, dst_path=str(into), tracking_uri=self.store.uri))

    def load_champion(self, name: str) -> Any:
        """The champion as an MLflow pyfunc."""
        version = self.champion(name)
        if version is None:
            raise LuthierError("no champion is registered", where=name, remedy="run a recipe that deploys this model")
        with self._answering(), _default_uri(self.store.uri):
            import mlflow

            return mlflow.pyfunc.load_model(f"models:/{name}/{version}")

    def _logged_model(
        self, package: Path, name: str, run_id: str, tags: Mapping[str, str], metrics: Mapping[str, float]
    ) -> str:
        from mlflow.entities import LoggedModelOutput, Metric

        client = self.store.client
        experiment = client.get_run(run_id).info.experiment_id
        model = client.create_logged_model(experiment, name=name, source_run_id=run_id, tags=dict(tags))
        try:
            client.log_model_artifacts(model.model_id, str(package))
        except BaseException:
            client.finalize_logged_model(model.model_id, "FAILED")
            raise
        client.finalize_logged_model(model.model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
        moment = int(time.time() * 1000)
        points = [Metric(key, float(value), moment, 0, model_id=model.model_id) for key, value in metrics.items()]
        client.log_batch(run_id, metrics=points)
        return model.model_id

    def _registered_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self.store.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _has_files(self, name: str, version: str) -> bool:
        from mlflow.artifacts import list_artifacts

        place = self.store.client.get_model_version_download_uri(name, version)
        files = list_artifacts(artifact_uri=place, tracking_uri=self.store.uri)
        return any(Path(file.path).name == "MLmodel" for file in files)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            with self.store.reaching():
                yield
        except Unreachable as error:
            what, remedy = "MLflow is unreachable", "start it (`luthier ui`), or unset MLFLOW_TRACKING_URI"
            if denied(error.__cause__):
                what, remedy = "MLflow denies access", "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            elif isinstance(error.__cause__, Exception) and self.store.refused(error.__cause__):
                what, remedy = "MLflow refuses this", "correct what it names"
            raise LuthierError(what, where=self.store.shown_uri, received=str(error), remedy=remedy) from error


@contextmanager
def _default_uri(uri: str) -> Iterator[None]:
    """For the parts of MLflow that know no client: they resolve ``models:/`` against the environment."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = uri
    try:
        yield
    finally:
        if before is None:
            del os.environ["MLFLOW_TRACKING_URI"]
        else:
            os.environ["MLFLOW_TRACKING_URI"] = before
