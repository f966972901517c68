"""The comparison of methods on tiny models, in the graph."""

import shutil
from pathlib import Path

import pytest

from luthier.comparison.report import read_comparison
from pipelines.jobs import COMPARED
from tests.dag.graph import failure, metadata, remade

TRAINING = "{epochs: 2, batch_size: 16, max_length: 16, threads: 1}"
COMPARISON = "{methods: [lora, bitfit], seeds: [17, 18], epochs: 2.0}"


def compare(graph, *overrides):
    result = graph.run(*overrides, select=COMPARED.upstream())
    assert result.success, failure(result)
    return result, read_comparison(Path(metadata(result, "method_comparison")["folder"]))


def compared_trainings(graph):
    return {path for path in (graph.artifacts.root / "compared_training").iterdir() if path.is_dir()}


def test_methods_are_trained_with_every_seed_scored_on_validation_and_never_trained_twice(
    graph, tiny_bert, write_recipe
):
    write_recipe(
        base=tiny_bert, training=TRAINING, comparison="{methods: [lora, bitfit], seeds: [17, 18], epochs: 2.0}"
    )
    first, comparison = compare(graph)
    assert {found.kind: [run.seed for run in found.seeds] for found in comparison.methods} == {
        "lora": [17, 18],
        "bitfit": [17, 18],
    }
    lora, bitfit = comparison.found("lora"), comparison.found("bitfit")
    assert lora.method["r"] == 4
    assert bitfit.trainable_parameters < lora.seeds[0].parameters
    for run in (*lora.seeds, *bitfit.seeds):
        assert run.scored_rows == comparison.rows["validation"]
        correct = run.score.value * comparison.rows["validation"]
        assert correct == pytest.approx(round(correct))
        assert min(run.peak_memory, run.rows_per_second, run.inference_seconds) > 0
        assert run.file_bytes > 4 * run.trainable_parameters

    runs = {run.info.run_name: run for run in graph.mlflow_runs(first)}
    parent = runs.pop(f"tiny · comparison · {comparison.best.kind}")
    assert set(runs) == {"lora", "bitfit"}
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.info.run_id}
    assert runs["lora"].data.metrics["mean_accuracy"] == pytest.approx(lora.score.value)
    history = graph.tracking.store.client.get_metric_history(runs["lora"].info.run_id, "validation_accuracy")
    assert [point.value for point in history] == [run.score.value for run in lora.seeds]
    assert "seed_18/loss" in runs["lora"].data.metrics
    assert [file.path for file in graph.tracking.store.client.list_artifacts(parent.info.run_id)].count(
        "comparison.html"
    )

    # As after a kill: the comparison and one of its trainings are not there yet.
    made = compared_trainings(graph)
    lost, *kept = sorted(made)
    shutil.rmtree(lost)
    shutil.rmtree(Path(metadata(first, "method_comparison")["folder"]))
    before = {path: path.stat().st_mtime_ns for path in kept}
    second, again = compare(graph)
    assert remade(second) == {"method_comparison"}
    assert compared_trainings(graph) == made
    assert {path: path.stat().st_mtime_ns for path in kept} == before
    assert [found.score for found in again.ranked] == [found.score for found in comparison.ranked]
    assert remade(compare(graph)[0]) == set()


def test_a_method_that_fails_is_a_row_with_its_reason_and_all_of_them_failing_is_no_comparison(
    graph, tiny_bert, write_recipe
):
    # The model has 64 positions, of which prompt tuning takes 20.
    training = TRAINING.replace("max_length: 16", "max_length: 48")
    write_recipe(base=tiny_bert, training=training, comparison="{methods: [prompt, bitfit], seeds: [17], epochs: 1.0}")
    result, comparison = compare(graph)
    assert [found.kind for found in comparison.ranked] == ["bitfit"]
    assert "seed 17: training.max_length: texts of that many tokens do not fit" in comparison.failed["prompt"]
    statuses = {run.info.run_name: run.info.status for run in graph.mlflow_runs(result)}
    assert statuses["prompt"] == "FAILED"
    assert statuses["bitfit"] == "FINISHED"

    none = graph.run("comparison.methods=[prompt]", select=COMPARED.upstream())
    assert not none.success
    assert "no method could be trained" in failure(none)
