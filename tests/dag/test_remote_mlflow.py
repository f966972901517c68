"""Everything against an MLflow server elsewhere that asks for a name and a password."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from luthier.errors import LuthierError
from tests.auth_server import AuthServer, auth_server
from tests.dag.graph import metadata

FULL = {
    "method": "{kind: full}",
    "training": "{epochs: 10, batch_size: 16, max_length: 16, learning_rate: 2.0e-3, threads: 1, "
    "early_stopping: {patience: 20}}",
}
SHORT = "{epochs: 1, threads: 1, max_length: 16}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthServer]:
    with auth_server(tmp_path_factory.mktemp("mlflow-server")) as started:
        yield started


@pytest.fixture
def remote(server: AuthServer, monkeypatch: pytest.MonkeyPatch) -> AuthServer:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", server.user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", server.password)
    return server


def places_of(secret: str, *folders: Path) -> list[Path]:
    """The files that hold a secret, as it is or as it is sent."""
    forms = [secret.encode(), base64.b64encode(f"keeper:{secret}".encode())]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(form in path.read_bytes() for form in forms)]


def test_a_run_is_recorded_registered_and_answers_through_a_server_with_a_password(
    graph, remote, tiny_bert, write_recipe, project, capfd, caplog
):
    write_recipe(base=tiny_bert, **FULL)
    result = graph.run()
    assert result.success
    assert not (project / "home" / "mlflow.db").exists()
    client = graph.tracking.store.client
    runs = {run.info.run_name: run for run in graph.mlflow_runs(result)}
    assert set(runs) == {"tiny · first training · met", "2 training", "3 evaluation"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    parent = runs["tiny · first training · met"]
    assert parent.info.artifact_uri.startswith("mlflow-artifacts:")
    kept = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"report.html", "scores.png", "recipe.yaml", "model_card"} <= kept
    page = Path(client.download_artifacts(parent.info.run_id, "report.html", str(project)))
    assert page.read_bytes() == Path(metadata(result, "evaluation_report")["report"]).read_bytes()
    assert client.get_experiment(parent.info.experiment_id).tags["mlflow.experiment.primaryMetric.name"]
    assert parent.data.tags["luthier.champion"] == "tiny 1"
    assert metadata(result, "adapter")["MLflow run"].startswith(f"{remote.uri}/#/experiments/")

    champion = graph.tracking.load_version("tiny")
    texts = ["good warm film story", "awful grim film story"]
    assert champion.predict(pd.DataFrame({"text": texts}))["label"].tolist() == ["good", "bad"]
    assert metadata(graph.run(), "deployed_artifact")["version"] == "1"

    assert places_of(remote.password, project, remote.folder) == [remote.folder / "basic_auth.ini"]
    assert remote.password not in "".join(capfd.readouterr()) + caplog.text


def test_with_a_wrong_password_a_training_ends_well_and_a_sync_with_the_right_one_loses_nothing(
    graph, remote, tiny_bert, write_recipe, project, monkeypatch, capfd, caplog
):
    write_recipe("tiny-full", base=tiny_bert, training=SHORT, evaluation="{target: 1.0}")
    with monkeypatch.context() as mistaken:
        mistaken.setenv("MLFLOW_TRACKING_PASSWORD", "not-the-password")
        result = graph.run(recipe="tiny-full")
        assert result.success
        assert metadata(result, "adapter")["MLflow run"] == "MLflow was not reached"
        with pytest.raises(LuthierError, match="MLflow denies access") as denied:
            graph.tracking.champion("tiny-full")
        assert "MLFLOW_TRACKING_PASSWORD" in str(denied.value)
        assert "not-the-password" not in str(denied.value)
        assert len(graph.tracking.sync_all().kept) > 0
    graph.tracking.reconcile(graph.instance)
    assert graph.tracking.sync_all().kept == ()
    runs = {run.info.run_name: run for run in graph.mlflow_runs(result)}
    assert {name: run.info.status for name, run in runs.items()} == dict.fromkeys(
        ("tiny-full · first training · short", "2 training", "3 evaluation"), "FINISHED"
    )
    history = json.loads((Path(metadata(result, "adapter")["folder"]) / "history.json").read_text())
    losses = graph.tracking.store.client.get_metric_history(runs["2 training"].info.run_id, "loss")
    assert [(m.step, m.value) for m in losses] == [(e["step"], e["loss"]) for e in history if "loss" in e]
    assert places_of("not-the-password", project, remote.folder) == []
    assert "not-the-password" not in "".join(capfd.readouterr()) + caplog.text


def test_a_password_in_the_uri_stands_in_no_link(tmp_path, monkeypatch):
    from resources.tracking import Tracking
    from resources.tracking_store import RunRef

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://keeper:s3cr3t@mlflow.example/base/")
    page = Tracking(home=str(tmp_path))._page(RunRef("r", "7"))
    assert page == "https://mlflow.example/base/#/experiments/7/runs/r"
