"""The registry, with a models-from-code package as deployment makes it."""

import os
import shutil
from pathlib import Path

import pytest

from luthier.digest import folder_digests
from luthier.errors import LuthierError
from resources.tracking import Tracking

CODE = """
import mlflow
import pandas

class Upper(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: pandas.DataFrame, params=None):
        return [text.upper() for text in model_input["text"]]

mlflow.models.set_model(Upper())
"""


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return Tracking(home=str(tmp_path / "home"))


@pytest.fixture
def package(tmp_path: Path, tracking: Tracking) -> Path:
    import mlflow

    code = tmp_path / "model.py"
    code.write_text(CODE)
    mlflow.pyfunc.save_model(tmp_path / "package", python_model=str(code), pip_requirements=["mlflow"])
    return tmp_path / "package"


def register(tracking: Tracking, package: Path, digest: str) -> tuple[str, str]:
    with tracking.run(asset="deployed_artifact", name="deployment", dagster_run_id="d1", recipe="reviews") as run:
        run_id = run.mlflow_run_id
        assert run_id
        tags, metrics = {"luthier.digest": digest}, {"accuracy": 0.84}
        return run_id, tracking.register_model(package, name="m", mlflow_run_id=run_id, tags=tags, metrics=metrics)


def test_a_registered_package_is_stored_as_it_was_and_answers(tracking: Tracking, package: Path) -> None:
    import mlflow
    import pandas

    before = folder_digests(package)
    run_id, version = register(tracking, package, "aa")
    assert tracking.champion("m") is None
    tracking.aliases("m").promote(version, over=None, reason="the first", by="a test")
    assert tracking.champion("m") == version == "1"
    assert folder_digests(package) == before
    client = tracking.store.client
    stored = client.get_model_version("m", version)
    assert (stored.run_id, stored.status, stored.tags["luthier.digest"]) == (run_id, "READY", "aa")
    (model,) = client.get_run(run_id).outputs.model_outputs
    logged = client.get_logged_model(model.model_id)
    assert (logged.status, logged.source_run_id) == ("READY", run_id)
    assert [(metric.key, metric.value) for metric in logged.metrics] == [("accuracy", 0.84)]
    assert folder_digests(Path(logged.artifact_location.removeprefix("file://"))) == before
    rows = pandas.DataFrame({"text": ["good", "bad"]})
    assert tracking.load_version("m").predict(rows) == ["GOOD", "BAD"]
    assert "MLFLOW_TRACKING_URI" not in os.environ
    mlflow.set_tracking_uri(tracking.tracking_uri)
    try:
        assert mlflow.pyfunc.load_model("models:/m/1").predict(rows) == ["GOOD", "BAD"]
    finally:
        mlflow.set_tracking_uri(None)
        os.environ.pop("MLFLOW_TRACKING_URI", None)


def test_a_version_is_found_by_digest_while_its_files_last(tracking: Tracking, package: Path) -> None:
    assert tracking.find_version("m", "aa") is None
    register(tracking, package, "aa")
    register(tracking, package, "bb")
    assert (tracking.find_version("m", "aa"), tracking.find_version("m", "bb")) == ("1", "2")
    assert tracking.find_version("m", "cc") is None
    place = tracking.store.client.get_model_version_download_uri("m", "1")
    shutil.rmtree(place.removeprefix("file://"))
    assert tracking.find_version("m", "aa") is None


def test_mistakes_are_named(tracking: Tracking, package: Path, tmp_path: Path) -> None:
    with pytest.raises(LuthierError, match="no champion"):
        tracking.load_version("m")
    with pytest.raises(LuthierError, match="no MLflow model"):
        tracking.register_model(tmp_path, name="m", mlflow_run_id="x", tags={}, metrics={})
    with pytest.raises(LuthierError, match="refuses"):
        tracking.aliases("a/b").promote("1", over=None, reason="", by="")
