"""The whole graph with ``dg.materialize``, on a home of its own, with tiny models and rows that can be learned."""

import json
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.evaluation.champion_comparison import ChampionComparison
from luthier.evaluation.report import read_report
from tests.dag.graph import checks, failure, materializations, metadata, remade, up_to

ASSETS = {
    "raw_data",
    "cleaned_splits",
    "base_model",
    "quantized_model",
    "hyperparameters",
    "adapter",
    "evaluation_report",
    "deployed_artifact",
}
FULL = {
    "method": "{kind: full}",
    "training": "{epochs: 10, batch_size: 16, max_length: 16, learning_rate: 2.0e-3, threads: 1, "
    "early_stopping: {patience: 20}}",
}
QLORA = {
    "method": "{kind: qlora, r: 4, alpha: 8, target_modules: [q_proj, v_proj]}",
    "training": "{epochs: 4, batch_size: 16, max_length: 16, learning_rate: 1.0e-2, threads: 1}",
}
SHORT = "{epochs: 1, threads: 1, max_length: 16}"


def test_from_raw_rows_to_a_registered_model_that_answers_and_back_again_from_what_is_stored(
    graph, tiny_bert, write_recipe, project
):
    write_recipe(base=tiny_bert, **FULL)
    first = graph.run()
    assert first.success
    assert remade(first) == ASSETS
    assert checks(first) == {
        "no_leakage": True,
        "splits_not_empty": True,
        "labels_complete": True,
        "rejections_within_limit": True,
        "drift": True,
        "served_drift": True,
        # 2,000 parameters on a few thousand tokens.
        "settings_advised": False,
        "healthy_training": True,
        "loss_is_finite": True,
        "best_checkpoint_reloads": True,
        "meets_target": True,
        "labels_reach_minimum": True,
        "slices_reach_minimum": True,
        "calibration_within_limit": True,
        "latency_within_limit": True,
        "size_within_limit": True,
        "no_regression": True,
    }
    runs = {run.info.run_name: run for run in graph.mlflow_runs(first)}
    parent = runs["tiny · first training · met"]
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert {run.data.tags.get("mlflow.parentRunId") for name, run in runs.items() if run is not parent} == {
        parent.info.run_id
    }
    assert parent.data.params["method.kind"] == "full"
    assert {"loss", "learning_rate", "grad_norm", "eval_accuracy"} <= runs["2 training"].data.metrics.keys()
    assert {entry.dataset.name for entry in runs["2 training"].inputs.dataset_inputs} == {"train", "validation"}
    report = read_report(Path(metadata(first, "evaluation_report")["report"]).parent)
    assert runs["3 evaluation"].data.metrics["test_accuracy"] == pytest.approx(report.deciding.value)
    assert metadata(first, "adapter")["MLflow run"].endswith(runs["2 training"].info.run_id)

    champion = graph.tracking.load_version("tiny")
    texts = ["good warm film story", "awful grim film story"]
    assert champion.predict(pd.DataFrame({"text": texts}))["label"].tolist() == ["good", "bad"]

    second = graph.run()
    assert remade(second) == set()
    assert {m.metadata["digest"].value for m in materializations(first)} == {
        m.metadata["digest"].value for m in materializations(second)
    }
    assert metadata(second, "deployed_artifact")["version"] == metadata(first, "deployed_artifact")["version"] == "1"

    third = graph.run("training.learning_rate=1e-3")
    assert remade(third) == {"hyperparameters", "adapter", "evaluation_report"} | deployed_by_the_rule(third)
    # Of the same rows and split, so that nothing is in the way of a comparison.
    assert compared_with_champion(third).rows == report.rows["test"]

    with (project / "reviews.csv").open("a") as file:
        file.write("999,1.5,good lovely film extra\n")
    fourth = graph.run()
    made = {"raw_data", "cleaned_splits", "adapter", "evaluation_report"}
    assert remade(fourth) == made | deployed_by_the_rule(fourth)


def compared_with_champion(result: dg.ExecuteInProcessResult) -> ChampionComparison:
    found = read_report(Path(metadata(result, "evaluation_report")["folder"])).champion
    assert found is not None
    return found


def deployed_by_the_rule(result: dg.ExecuteInProcessResult) -> set[str]:
    """What meets the target is registered, as champion or as challenger."""
    return {"deployed_artifact"} if checks(result)["meets_target"] else set()


def test_qlora_trains_on_the_stored_quantization_and_deploys_one_plain_model(graph, tiny_llama, write_recipe):
    write_recipe("tiny-qlora", base=tiny_llama, **QLORA)
    result = graph.run(recipe="tiny-qlora")
    assert result.success, failure(result)
    quantized = metadata(result, "quantized_model")
    assert quantized["memory (MB)"] < quantized["memory of the base (MB)"]
    assert 0 < quantized["weight error (relative)"] < 0.2
    assert metadata(result, "adapter")["trainable share"] < 0.2
    adapter = Path(metadata(result, "adapter")["folder"])
    manifest = json.loads((adapter / "manifest.json").read_text())
    assert manifest["inputs"]["quantized_model"] == metadata(result, "quantized_model")["digest"]
    parity = metadata(result, "deployed_artifact")["parity"]
    rows = len(pq.read_table(Path(metadata(result, "cleaned_splits")["folder"]) / "validation.parquet"))
    quantized_reference = " against 4-bit weights"
    assert [line.partition(" agree ")[0] for line in parity] == [
        f"merged{quantized_reference}: {rows} of {rows}",
        f"packaged{quantized_reference}: {rows} of {rows}",
        f"packaged against merged: {rows} of {rows}",
        f"served{quantized_reference}: {rows} of {rows}",
        "registered: 8 of 8",
    ]
    assert parity[2].endswith(" exactly")
    assert metadata(result, "deployed_artifact")["reference"] == "the adapter on 4-bit weights"
    package = Path(metadata(result, "deployed_artifact")["package"])
    assert not [path for path in package.rglob("*") if path.suffix in (".pkl", ".pickle", ".bin", ".pt")]


def test_falling_short_is_visible_deploys_nothing_and_is_no_failure(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, evaluation="{metric: accuracy, target: 1.0}", training=SHORT)
    result = graph.run()
    assert result.success
    assert checks(result)["meets_target"] is False
    assert "deployed_artifact" not in remade(result)
    assert graph.tracking.champion("tiny") is None
    observed = graph.instance.fetch_observations(dg.AssetKey("deployed_artifact"), limit=1).records[0]
    assert "against a target of 1" in observed.asset_observation.metadata["skipped"].value
    assert {
        run.data.tags["luthier.verdict"] for run in graph.mlflow_runs(result) if run.info.run_name != "2 training"
    } == {"short"}


def test_a_planted_leak_stops_the_run_before_training(graph, tiny_bert, write_recipe, monkeypatch):
    from luthier.data import splits as splits_module

    write_recipe(base=tiny_bert)
    honest = splits_module.write_cleaned_splits

    def leaky(raw: Path, folder: Path, data: object, **options: object) -> object:
        facts = honest(raw, folder, data, **options)
        tables = {name: pq.read_table(folder / f"{name}.parquet") for name in ("train", "test")}
        pq.write_table(pa.concat_tables([tables["test"], tables["train"].slice(0, 1)]), folder / "test.parquet")
        return facts

    monkeypatch.setattr(splits_module, "write_cleaned_splits", leaky)
    result = graph.run()
    assert not result.success
    assert checks(result)["no_leakage"] is False
    assert "adapter" not in remade(result)


def test_a_loss_that_is_not_finite_fails_its_check_and_leaves_no_adapter(graph, tiny_bert, write_recipe, monkeypatch):
    import torch

    from luthier.training import trainer

    def poisoned(job, outputs, labels, num_items_in_batch=None):
        return outputs["logits"].sum() * torch.nan

    write_recipe(base=tiny_bert)
    monkeypatch.setattr(trainer, "summed_loss", poisoned)
    result = graph.run()
    assert not result.success
    assert checks(result)["loss_is_finite"] is False
    assert "at step 1" in failure(result)
    statuses = {run.info.run_name: run.info.status for run in graph.mlflow_runs(result)}
    assert set(statuses.values()) == {"FAILED"}


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"data": "{source: reviws.csv, columns: {text: text, label: sentiment}}"}, "no such file"),
        ({"data": "{source: reviews.csv, columns: {text: txt, label: sentiment}}"}, "no column 'txt'"),
        (
            {"data": '{source: reviews.csv, columns: {text: text, label: "sentiment > 9"}}'},
            "all 240 rows have the label",
        ),
        ({"method": "{kind: lora, target_modules: [qury]}"}, "matches no linear layer"),
        ({"method": "{kind: lora, r: 64}"}, "must be at most 32"),
    ],
)
def test_a_persons_mistake_is_explained_and_loses_nothing(graph, tiny_bert, write_recipe, sections, said):
    write_recipe(base=tiny_bert, **sections)
    result = graph.run()
    assert not result.success
    assert said in failure(result)


def test_a_damaged_artifact_is_made_again_and_never_read(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, training=SHORT)
    first = graph.run()
    victim = Path(metadata(first, "cleaned_splits")["folder"]) / "train.parquet"
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.chmod(0o644)
    victim.write_bytes(content)
    second = graph.run()
    assert second.success
    assert remade(second) == {"cleaned_splits"}
    assert metadata(second, "cleaned_splits")["digest"] == metadata(first, "cleaned_splits")["digest"]


def test_training_ends_well_without_mlflow_and_a_later_sync_loses_nothing(graph, tiny_bert, write_recipe, monkeypatch):
    write_recipe(base=tiny_bert, training=SHORT, evaluation="{target: 1.0}")
    with monkeypatch.context() as unreachable:
        unreachable.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        result = graph.run()
        assert result.success
        assert metadata(result, "adapter")["MLflow run"] == "MLflow was not reached"
    graph.tracking.reconcile(graph.instance)
    runs = {run.info.run_name: run for run in graph.mlflow_runs(result)}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    history = json.loads((Path(metadata(result, "adapter")["folder"]) / "history.json").read_text())
    losses = graph.tracking.store.client.get_metric_history(runs["2 training"].info.run_id, "loss")
    assert [(m.step, m.value) for m in losses] == [(e["step"], e["loss"]) for e in history if "loss" in e]


def test_an_adapter_is_never_evaluated_on_splits_that_it_was_not_trained_beside(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, training=SHORT)
    assert graph.run(select=up_to("adapter")).success
    assert graph.run("data.split.seed=99", select=up_to("cleaned_splits")).success
    result = graph.run("data.split.seed=99", select="evaluation_report")
    assert not result.success
    assert "was made from another cleaned_splits" in failure(result)


def test_an_evaluation_reads_the_hyperparameters_of_its_adapter_and_not_newer_ones(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, training=SHORT)
    first = graph.run()
    assert graph.run("method.r=2", select="hyperparameters").success
    assert remade(graph.run(select="evaluation_report")) == set()
    assert first.success
