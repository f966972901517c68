"""Studies, rounds and the values that come of them, through the shipped assets."""

from pathlib import Path

import dagster as dg
import pytest

from luthier.errors import LuthierError
from luthier.evaluation.report import read_report
from luthier.tuning.report import read_study
from pipelines.definitions import defs
from pipelines.jobs import FINETUNED, TUNED
from tests.dag.graph import checks, failure, metadata, remade

SPACE = "{learning_rate: {low: 1.0e-3, high: 1.0e-2, log: true}, weight_decay: [0.0, 0.1]}"
TUNING = f"{{trials: 4, seed: 3, space: {SPACE}}}"
TIMID = "{epochs: 4, batch_size: 16, max_length: 16, learning_rate: 1.0e-5, threads: 1, early_stopping: {patience: 20}}"
RATE = "training.learning_rate"


@pytest.fixture
def timid(graph, tiny_bert, write_recipe):
    """A recipe whose own learning rate learns nothing, and its first run."""
    write_recipe(base=tiny_bert, method="{kind: full}", training=TIMID, tuning=TUNING, evaluation="{target: 0.9}")
    first = graph.run(select=FINETUNED)
    assert first.success, failure(first)
    return first


def values_of(result) -> dict:
    """Each value of the hyperparameters, with its origin."""
    (materialization,) = result.asset_materializations_for_node("hyperparameters")
    records = [record.data for record in materialization.metadata["values"].value.records]
    return {record["name"]: (record["value"], record["origin"]) for record in records}


def study_of(result):
    return read_study(Path(metadata(result, "tuning_study")["folder"]))


def report_of(result):
    return read_report(Path(metadata(result, "evaluation_report")["folder"]))


def test_a_round_finds_better_values_and_the_training_that_follows_uses_them(graph, timid):
    assert checks(timid)["meets_target"] is False
    assert metadata(timid, "hyperparameters")["study"] == "none for this data, base, method and recipe"
    result = graph.run(select=TUNED.downstream())
    assert result.success, failure(result)
    found = study_of(result)
    own = found.trials[0]
    assert (own.origin, own.state, own.seconds) == ("the recipe", "complete", 0.0)
    assert own.score == metadata(timid, "adapter")["best validation score"] or own.score == pytest.approx(
        metadata(timid, "adapter")["best validation score"], abs=1e-4
    )
    assert found.best.score > own.score and len(found.trials) == 5
    rate, origin = values_of(result)[RATE]
    assert float(rate) == found.best.values[RATE]
    assert origin == f"study {found.study}, round 1, trial {found.best.number}"
    assert values_of(result)["training.epochs"][1] == "recipe"
    assert values_of(result)["training.scheduler"][1] == "default"
    adapter = metadata(result, "adapter")
    assert adapter["best validation score"] == round(found.best.score, 4)
    assert adapter["resumed from step"] == adapter["steps"], "the best trial's training was made again"
    assert checks(result)["meets_target"] and checks(result)["best_checkpoint_reloads"]
    assert "tuning_study" in remade(result)
    (version,) = graph.tracking.registry.versions("tiny")
    assert version.tags["luthier.tuning_study"] == metadata(result, "tuning_study")["digest"]
    assert "tuning_study" not in report_of(timid).digests

    trials = [run for run in graph.mlflow_runs(result) if "luthier.trial" in run.data.tags]
    assert len(trials) == 4
    for run in trials:
        trial = found.trials[int(run.data.tags["luthier.trial"])]
        assert run.data.tags["luthier.trial_state"] == trial.state
        assert float(run.data.params[RATE]) == trial.values[RATE]
        assert ("luthier.pruned_at_step" in run.data.tags) == (trial.state == "pruned")
        assert "eval_accuracy" in run.data.metrics or trial.state == "pruned"
    assert all(run.info.status == "FINISHED" for run in trials)


def test_a_finetune_after_the_study_keeps_its_values_until_the_recipe_asks_for_others(
    graph, timid, write_recipe, tiny_bert
):
    study = study_of(graph.run(select=TUNED.downstream()))
    again = graph.run(select=FINETUNED)
    assert values_of(again)[RATE][1].startswith(f"study {study.study}")
    assert remade(again) == set()
    launched = graph.run("training.learning_rate=0.005", "training.epochs=1", select=FINETUNED)
    assert values_of(launched)[RATE] == ("0.005", "launch override")
    assert values_of(launched)["training.weight_decay"][1].startswith(f"study {study.study}")
    edited = TIMID.replace("1.0e-5", "3.0e-5")
    write_recipe(base=tiny_bert, method="{kind: full}", training=edited, tuning=TUNING, evaluation="{target: 0.9}")
    changed = graph.run(select=FINETUNED)
    assert values_of(changed)[RATE] == ("3e-05", "recipe")


def test_the_next_round_starts_from_the_best_before_and_says_what_it_changed(graph, timid):
    first = study_of(graph.run(select=TUNED.downstream()))
    second = study_of(graph.run(select=TUNED.downstream()))
    assert (first.round, second.round) == (1, 2)
    assert first.study != second.study
    assert second.best.score >= first.best.score
    assert second.trials[0].origin == "the recipe"
    # The best of the first round is the champion by now.
    carried = next(trial for trial in second.trials if {**trial.values, **first.best.values} == trial.values)
    assert carried.origin == "the champion"
    assert carried.seconds == 0.0 and carried.score == first.best.score
    made = [trial for trial in second.trials if trial.seconds > 0]
    assert len(made) == 4
    if second.space != first.space:
        assert second.revisions


def test_trials_that_another_process_made_count_for_the_study(graph, timid):
    from pipelines.joining import join_study
    from resources.recipe_book import RecipeBook

    book = RecipeBook(folder=str(graph.project / "recipes"))
    with pytest.raises(LuthierError, match="no study is under way"):
        join_study("tiny", graph.instance, book, graph.artifacts, graph.tracking)
    tags = {"dagster/partition": "tiny", "luthier/round": "1"}
    job = defs.get_repository_def().get_job("retune")
    begun = graph.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    assert join_study("tiny", graph.instance, book, graph.artifacts, graph.tracking) == "trials used up"
    result = graph.run(select=TUNED)
    assert result.success, failure(result)
    assert len([trial for trial in study_of(result).trials if trial.seconds > 0]) == 4
    assert not [run for run in graph.mlflow_runs(result) if "luthier.trial" in run.data.tags]
    joined = graph.tracking.store.client.search_runs(
        [e.experiment_id for e in graph.tracking.store.client.search_experiments()],
        f"tags.`luthier.dagster_run_id` = '{begun.run_id}'",
    )
    assert len([run for run in joined if "luthier.trial" in run.data.tags]) == 4


def test_neither_trials_nor_the_training_that_follows_see_the_test_split(graph, timid, monkeypatch):
    splits = Path(metadata(timid, "cleaned_splits")["folder"])
    hidden = splits / "test.parquet"
    content = hidden.read_bytes()
    honest = graph.artifacts.open("cleaned_splits", metadata(timid, "cleaned_splits")["digest"])
    monkeypatch.setattr(type(graph.artifacts), "open", lambda self, asset, digest: _opened(self, asset, digest))
    hidden.chmod(0o644)
    hidden.unlink()
    try:
        result = graph.run(select=TUNED | dg.AssetSelection.assets("hyperparameters", "adapter"))
    finally:
        hidden.write_bytes(content)
    assert result.success, failure(result)
    assert honest.folder == splits


def _opened(artifacts, asset, digest):
    """Without the verification, which would miss the file that the test hides."""
    from resources.artifact_store import Artifact

    return Artifact(asset, digest, artifacts.root / asset / digest)
