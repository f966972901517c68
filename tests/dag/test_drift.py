"""The check ``drift`` of cleaned_splits, in the whole graph."""

import csv
import random
import shutil

import dagster as dg
import pytest

from tests.conftest import GOOD, PLAIN
from tests.dag.graph import Graph, checks, failure, materializations, metadata

FULL = {
    "method": "{kind: full}",
    "training": "{epochs: 8, batch_size: 16, max_length: 16, learning_rate: 2.0e-3, threads: 1}",
    "evaluation": "{metric: accuracy, target: 0.1}",
}


def drift(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (check,) = (each for each in result.get_asset_check_evaluations() if each.check_name == "drift")
    return check


def only_splits(graph: Graph, *overrides: str) -> dg.ExecuteInProcessResult:
    result = graph.run(*overrides, select=["raw_data", "base_model", "cleaned_splits"])
    assert result.success, failure(result)
    return result


def add_positive(project, rows: int, *, words: int, start: int) -> None:
    """Rows of one label."""
    generator = random.Random(start)
    with (project / "reviews.csv").open("a", newline="") as file:
        for row in range(start, start + rows):
            text = " ".join([*generator.choices(PLAIN, k=words), *generator.sample(GOOD, 2), str(row)])
            csv.writer(file).writerow([row, 1.5, text])


@pytest.fixture
def deployed(graph, tiny_bert, write_recipe) -> dg.ExecuteInProcessResult:
    write_recipe(base=tiny_bert, **FULL)
    result = graph.run()
    assert result.success and "deployed_artifact" in {m.asset_key.to_user_string() for m in materializations(result)}
    return result


def test_new_rows_are_compared_with_what_the_champion_was_trained_on(graph, deployed, project):
    assert drift(deployed).passed and drift(deployed).description == "no champion to compare with"

    same = drift(only_splits(graph))
    assert same.passed and "was made of these splits" in same.description

    add_positive(project, 120, words=10, start=5000)
    shifted = only_splits(graph)
    check = drift(shifted)
    assert check.passed is False and check.severity == dg.AssetCheckSeverity.WARN
    assert "labels differ by 0.5" in check.description and "lengths differ by" in check.description
    assert check.metadata["new rows"].value == 120
    table = {record.data["what"]: record.data for record in check.metadata["differences"].records}
    assert table.keys() == {"label_share", "length", "embedding"} and table["label_share"]["threshold"] == "0.1"

    lenient = drift(only_splits(graph, "drift.label_share=0.9", "drift.length=null", "drift.embedding=null"))
    assert lenient.passed and "are like those" in lenient.description
    assert metadata(shifted, "cleaned_splits")["reused"] is False


def test_what_the_champion_was_made_of_may_be_gone(graph, deployed, project):
    shutil.rmtree(project / "home" / "artifacts" / "deployed_artifact")
    check = drift(only_splits(graph))
    assert check.passed is False and "is not in this LUTHIER_HOME" in check.description


def test_mlflow_may_be_away(graph, tiny_bert, write_recipe, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    write_recipe(base=tiny_bert)
    result = only_splits(graph)
    assert drift(result).passed is False and drift(result).description.startswith("MLflow was not reached")
    assert {name for name, passed in checks(result).items() if not passed} == {"drift"}
