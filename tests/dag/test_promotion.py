"""A new model replaces the champion on evidence alone: seen through the whole graph."""

import csv
import json
from pathlib import Path

import dagster as dg
import pytest

from luthier.evaluation.report import EvaluationReport, read_report
from tests.conftest import write_reviews
from tests.dag.graph import checks, failure, metadata, remade, up_to

DATA = (
    '{source: reviews.csv, columns: {text: text, label: "sentiment > 0"}, labels: [bad, good], '
    "augmentation: {below: 0}, split: {by: hash, test: 0.3}}"
)
LEARNING = (
    "{epochs: 10, batch_size: 16, max_length: 16, learning_rate: 2.0e-3, threads: 1, early_stopping: {patience: 20}}"
)
IDLE = "{epochs: 1, batch_size: 64, max_length: 16, learning_rate: 1.0e-9, threads: 1}"
FULL = {"data": DATA, "method": "{kind: full}"}
EASY, HARD = "{metric: accuracy, target: 0.2}", "{metric: accuracy, target: 0.8}"


def report_of(result: dg.ExecuteInProcessResult) -> EvaluationReport:
    assert result.success, failure(result)
    return read_report(Path(metadata(result, "evaluation_report")["folder"]))


def skipped(graph) -> str:
    (record,) = graph.instance.fetch_observations(dg.AssetKey("deployed_artifact"), limit=1).records
    return str(record.asset_observation.metadata["skipped"].value)


def test_the_first_model_meets_no_champion_and_a_second_run_changes_nothing(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, **FULL, training=IDLE, evaluation=EASY)
    first = graph.run()
    assert report_of(first).champion is None
    assert "unchanged" not in metadata(first, "evaluation_report")
    assert metadata(first, "deployed_artifact")["promoted because"] == "There is no champion yet."
    second = graph.run()
    assert remade(second) == set()
    assert metadata(second, "deployed_artifact")["version"] == "1"
    assert "everything was reused" in metadata(second, "evaluation_report")["unchanged"]
    (parent,) = [run for run in graph.mlflow_runs(second) if "mlflow.parentRunId" not in run.data.tags]
    assert parent.data.tags["luthier.unchanged"] == "true"


def test_a_better_model_replaces_the_champion_and_stays_it_when_nothing_changes(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, **FULL, training=IDLE, evaluation=EASY)
    first = graph.run()
    write_recipe(base=tiny_bert, **FULL, training=LEARNING, evaluation=EASY)
    second = graph.run()
    found = report_of(second).champion
    assert found is not None and found.outcome == "better"
    assert found.difference.low > 0 and found.difference.mcnemar_p < 0.05
    assert found.digest == metadata(first, "deployed_artifact")["digest"]
    # The same rows, for both new.
    assert found.rows == report_of(second).rows["test"] and found.left_out == 0
    assert found.candidate == report_of(second).deciding
    before = report_of(first).deciding
    assert found.champion.value == before.value
    # The split was read twice by now, and each interval is wider for it.
    assert report_of(second).reads.number == 2
    assert found.champion.low < before.low and found.champion.high > before.high
    assert graph.tracking.champion("tiny") == "2"
    assert "significantly better" in metadata(second, "deployed_artifact")["promoted because"]
    runs = {run.info.run_name: run for run in graph.mlflow_runs(second)}
    parent = runs["tiny · first training · met"]
    assert [run.data.metrics["test_reads"] for run in (runs["3 evaluation"], parent)] == [2, 2]
    score = json.loads(graph.tracking.version_tags("tiny", "2")["luthier.score"])
    assert (score["low"], score["confidence"]) == (found.candidate.low, pytest.approx(0.975))
    assert runs["3 evaluation"].data.metrics["champion_difference_low"] == pytest.approx(found.difference.low)
    assert parent.data.tags["luthier.compared_champion"] == "tiny 1"
    assert parent.data.tags["luthier.beside_champion"] == "better"

    third = graph.run()
    assert remade(third) == set()
    assert "unchanged" in metadata(third, "evaluation_report")
    assert metadata(third, "deployed_artifact")["version"] == "2"


def test_an_equal_model_becomes_the_challenger_and_the_champion_stays(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, **FULL, training=LEARNING, evaluation=EASY)
    assert graph.run().success
    write_recipe(base=tiny_bert, **FULL, training=LEARNING.replace("epochs: 10", "epochs: 9"), evaluation=EASY)
    second = graph.run()
    report = report_of(second)
    assert report.verdict == "met" and report.champion.outcome == "alike"
    found = metadata(second, "deployed_artifact")
    assert (found["version"], found["alias"]) == ("2", "challenger")
    assert "not significantly better than the champion, version 1" in found["not promoted because"]
    aliases = graph.tracking.aliases("tiny")
    assert (aliases.champion, aliases.challenger) == ("1", "2")
    tags = graph.tracking.version_tags("tiny", "2")
    assert "It stays" in tags["luthier.not_promoted_because"] and "luthier.promoted_because" not in tags
    assert remade(graph.run()) == set()
    assert (aliases.champion, aliases.challenger) == ("1", "2")
    assert [change.version for change in aliases.history()] == ["1"]


def test_a_champion_that_fails_on_new_rows_is_replaced_by_one_that_is_no_worse(graph, tiny_bert, write_recipe, project):
    """The champion's labels were right when it was deployed; then the words changed their meaning."""
    write_recipe(base=tiny_bert, **FULL, training=LEARNING, evaluation=HARD)
    assert graph.run().success
    assert graph.tracking.champion("tiny") == "1"
    with write_reviews(project / "reviews.csv", seed=2).open() as file:
        rows = list(csv.DictReader(file))
    with (project / "reviews.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "sentiment": -float(row["sentiment"])} for row in rows)
    second = graph.run()
    found = report_of(second).champion
    assert found.reaches_target is False
    assert found.outcome == "better"
    assert graph.tracking.champion("tiny") == "2"


def test_rows_that_the_champion_was_trained_on_are_left_out_and_too_few_are_no_evidence(
    graph, tiny_bert, write_recipe, project
):
    write_recipe(base=tiny_bert, **FULL, training=LEARNING, evaluation=EASY)
    first = graph.run()
    second = graph.run("data.split.seed=99")
    found = report_of(second).champion
    splits = {run: Path(metadata(run, "cleaned_splits")["folder"]) for run in (first, second)}
    seen = texts(splits[first], "train", "validation")
    new = [text for text in texts(splits[second], "test") if text not in seen]
    assert found.left_out >= report_of(second).rows["test"] - len(new) > 0
    assert found.rows == (0 if found.reason else report_of(second).rows["test"] - found.left_out)

    few = graph.run("data.split.seed=5", "data.split.test=0.1")
    found = report_of(few).champion
    assert found.difference is None and "at least 20 are needed" in found.reason
    assert graph.tracking.champion("tiny") == "1"
    assert "cannot be compared" in metadata(few, "deployed_artifact")["not promoted because"]


def texts(splits: Path, *names: str) -> list[str]:
    import pyarrow.parquet as pq

    return [text for name in names for text in pq.read_table(splits / f"{name}.parquet")["text"].to_pylist()]


def test_new_rows_are_trained_on_and_the_new_model_is_compared_on_its_own_test_rows(
    graph, tiny_bert, write_recipe, project
):
    write_recipe(base=tiny_bert, **FULL, training=LEARNING, evaluation=EASY)
    assert graph.run().success
    more = write_reviews(project / "more.csv", 60, seed=7)
    with (project / "reviews.csv").open("a") as file:
        file.writelines(more.open().readlines()[1:])
    second = graph.run()
    assert {"raw_data", "cleaned_splits", "adapter", "evaluation_report"} <= remade(second)
    report = report_of(second)
    assert report.champion.rows > 0
    assert report.champion.rows + report.champion.left_out == report.rows["test"]
    assert "unchanged" not in metadata(second, "evaluation_report")
    replaced = graph.tracking.champion("tiny") == "2"
    assert replaced == (report.champion.outcome == "better")


def test_a_champion_of_other_labels_stays_until_somebody_promotes_the_new_model(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, **FULL, training=LEARNING, evaluation=EASY)
    assert graph.run().success
    write_recipe(
        base=tiny_bert, **{**FULL, "data": DATA.replace("[bad, good]", "[no, yes]")}, training=IDLE, evaluation=EASY
    )
    second = graph.run()
    found = report_of(second).champion
    assert found.difference is None and "without no, yes and with bad, good" in found.reason
    aliases = graph.tracking.aliases("tiny")
    assert (aliases.champion, aliases.challenger) == ("1", "2")
    assert "luthier promote RECIPE --force" in metadata(second, "deployed_artifact")["not promoted because"]
    assert not checks(second)["no_regression"]


def test_a_champion_whose_artifacts_are_gone_stays_until_it_can_be_compared(graph, tiny_bert, write_recipe):
    import shutil

    write_recipe(base=tiny_bert, **FULL, training=IDLE, evaluation=EASY)
    assert graph.run().success
    shutil.rmtree(graph.artifacts.root)
    again = graph.run()
    assert again.success, failure(again)
    assert graph.tracking.champion("tiny") == "1"
    shutil.rmtree(graph.artifacts.root / "deployed_artifact")
    second = graph.run("training.learning_rate=2.0e-3")
    assert "the artifact is gone" in metadata(second, "deployed_artifact")["not promoted because"]
    assert graph.tracking.champion("tiny") == "1"


def test_without_mlflow_the_report_is_made_and_deploys_nothing_over_a_champion_it_has_not_met(
    graph, tiny_bert, write_recipe, monkeypatch
):
    write_recipe(base=tiny_bert, **FULL, training=IDLE, evaluation=EASY)
    assert graph.run().success
    write_recipe(base=tiny_bert, **FULL, training=LEARNING, evaluation=EASY)
    with monkeypatch.context() as unreachable:
        unreachable.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        assert graph.run(select=up_to("evaluation_report")).success
    result = graph.run(select="deployed_artifact")
    assert result.success
    assert graph.tracking.champion("tiny") == "1"
    assert "Materialize evaluation_report again" in skipped(graph)
    assert graph.run().success
    assert graph.tracking.champion("tiny") == "2"


def test_the_report_in_json_has_the_comparison_and_both_readings_of_the_same_test_rows(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, **FULL, training=IDLE, evaluation=EASY)
    first = graph.run()
    # Other splits, whose test rows are the very same.
    second = graph.run("data.balance=weights", "training.seed=18")
    splits = [metadata(run, "cleaned_splits")["digest"] for run in (first, second)]
    report = report_of(second)
    assert splits[0] != splits[1] and report.reads.number == 2
    # What was trained on other splits is no other seed of the same values.
    assert len({reading.configuration for reading in report.reads.readings}) == 2 and report.aspects.seeds is None
    folder = Path(metadata(second, "evaluation_report")["folder"])
    written = json.loads((folder / "report.json").read_text())["champion"]
    assert written["version"] == "1"
    assert written["difference"]["low"] <= written["difference"]["value"] <= written["difference"]["high"]
    assert "the champion, version 1" in (folder / "report.html").read_text()
