"""The model registry: packages as versions of a model, and the one called champion."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.errors import LuthierError
from resources.tracking_store import TrackingStore, Unreachable, denied, pages

CHAMPION = "champion"


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model; ``created`` in milliseconds since 1970."""

    name: str
    version: str
    aliases: tuple[str, ...]
    created: int
    tags: Mapping[str, str]


class ModelRegistry:
    """MLflow's registry behind ``store``. Unlike tracking it needs MLflow now: all raise ``LuthierError`` without."""

    def __init__(self, store: TrackingStore):
        self.store = store

    def register(
        self,
        package: Path,
        name: str,
        run_id: str,
        tags: Mapping[str, str],
        metrics: Mapping[str, float],
        description: str | None = None,
    ) -> str:
        """Stores the folder as a logged model of the run, byte for byte, and makes it the next version of ``name``."""
        if not (package / "MLmodel").is_file():
            raise LuthierError("no MLflow model", where=str(package), remedy="save it with mlflow.pyfunc.save_model")
        with self.answering(), _default_uri(self.store.uri):
            model_id = self._logged_model(package, name, run_id, tags, metrics)
            self._registered_model(name)
            version = self.store.client.create_model_version(
                name,
                f"models:/{model_id}",
                run_id=run_id,
                tags=dict(tags),
                model_id=model_id,
                description=description,
                await_creation_for=30,
            )
        return str(version.version)

    def alias(self, name: str, alias: str) -> str | None:
        """The version that an alias of the model stands at."""
        with self.answering():
            found = self._known(self.store.client.get_model_version_by_alias, name, alias)
        return None if found is None else str(found.version)

    def champion(self, name: str) -> str | None:
        return self.alias(name, CHAMPION)

    def versions(self, name: str) -> list[RegisteredVersion]:
        """All versions of the model, the newest first; none where there is no such model."""
        with self.answering():
            client = self.store.client
            model = self._known(client.get_registered_model, name)
            aliases = model.aliases if model else {}
            order = {"filter_string": f"name = '{name}'", "order_by": ["version_number DESC"]}
            found = [version for page in pages(client.search_model_versions, **order) for version in page]
        return [
            RegisteredVersion(
                name=name,
                version=str(each.version),
                aliases=tuple(sorted(alias for alias, at in aliases.items() if str(at) == str(each.version))),
                created=int(each.creation_timestamp),
                tags=dict(each.tags),
            )
            for each in found
        ]

    def model_tags(self, name: str) -> dict[str, str]:
        """The tags of the registered model itself; none where there is no such model."""
        with self.answering():
            model = self._known(self.store.client.get_registered_model, name)
            return dict(model.tags) if model else {}

    def delete(self, name: str, version: str) -> None:
        """Takes a version away, and its aliases with it."""
        with self.answering():
            self.store.client.delete_model_version(name, version)

    @contextmanager
    def files(self, name: str, version: str) -> Iterator[Path]:
        """The folder that the registry hands back for a version; downloaded unless it lies on this machine."""
        from mlflow.artifacts import download_artifacts

        if (folder := self.local_files(name, version)) is not None:
            yield folder
            return
        with tempfile.TemporaryDirectory() as scratch:
            place = self.place(name, version)
            with self.answering():
                folder = download_artifacts(artifact_uri=place, dst_path=scratch, tracking_uri=self.store.uri)
            yield Path(folder)

    def place(self, name: str, version: str) -> str:
        """Where the files of a version lie: a URI, or a path."""
        with self.answering():
            return self.store.client.get_model_version_download_uri(name, version)

    def local_files(self, name: str, version: str) -> Path | None:
        """The folder of a version that lies on this machine."""
        from mlflow.utils.file_utils import local_file_uri_to_path
        from mlflow.utils.uri import is_local_uri

        place = self.place(name, version)
        return Path(local_file_uri_to_path(place)) if is_local_uri(place) else None

    def has_files(self, name: str, version: str) -> bool:
        """Whether a version's files are still there."""
        from mlflow.artifacts import list_artifacts

        place = self.place(name, version)
        with self.answering():
            files = list_artifacts(artifact_uri=place, tracking_uri=self.store.uri)
        return any(Path(file.path).name == "MLmodel" for file in files)

    def version_tags(self, name: str, version: str) -> dict[str, str]:
        """The tags of a registered version."""
        with self.answering():
            return dict(self.store.client.get_model_version(name, version).tags)

    def tag_version(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Sets tags of a registered version."""
        with self.answering():
            for key, value in tags.items():
                self.store.client.set_model_version_tag(name, version, key, value)

    def find_version(self, name: str, digest: str, tag: str) -> str | None:
        """The newest version tagged with ``digest`` whose files are still there."""
        tagged = (found.version for found in self.versions(name) if found.tags.get(tag) == digest)
        return next((version for version in tagged if self.has_files(name, version)), None)

    def chosen(self, name: str, version: str | None) -> str:
        """The version, the champion when it is None. Raises LuthierError: there is no such version."""
        if version is not None and not self._has_version(name, version):
            remedy = "name one that MLflow lists, or none for the champion"
            raise LuthierError("no such version", where=name, received=version, remedy=remedy)
        chosen = version or self.champion(name)
        if chosen is None:
            raise LuthierError("no champion is registered", where=name, remedy="run a recipe that deploys this model")
        return chosen

    def load_version(self, name: str, version: str | None = None) -> Any:
        """A registered version, the champion by default, as an MLflow pyfunc. Raises LuthierError: there is none."""
        chosen = self.chosen(name, version)
        with self.answering(), _default_uri(self.store.uri):
            import mlflow

            return mlflow.pyfunc.load_model(f"models:/{name}/{chosen}")

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

    def _has_version(self, name: str, version: str) -> bool:
        with self.answering():
            return self._known(self.store.client.get_model_version, name, version) is not None

    def _known(self, ask: Callable[..., Any], *names: str) -> Any:
        """What MLflow says of something; None where it knows nothing of that name."""
        from mlflow.exceptions import MlflowException

        try:
            return ask(*names)
        except MlflowException as error:
            if self.store.refused(error) or error.get_http_status_code() == 404:
                return None
            raise

    @contextmanager
    def answering(self) -> Iterator[None]:
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
