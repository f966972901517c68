"""How the runs of a recipe stand in MLflow's experiment: names, order, tags, views, lineage."""

import json

from assets.run_listing import title
from assets.studies import ROUND_TAG
from tests.dag.graph import metadata

FULL = {
    "method": "{kind: full}",
    "training": "{epochs: 10, batch_size: 16, max_length: 16, learning_rate: 2.0e-3, threads: 1, "
    "early_stopping: {patience: 20}}",
}
SHORT = "{epochs: 1, threads: 1, max_length: 16}"


def parents(graph, *results):
    return [next(r for r in graph.mlflow_runs(each) if "mlflow.parentRunId" not in r.data.tags) for each in results]


def test_an_experiment_lists_what_each_run_came_to_and_which_made_the_champion(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, **FULL)
    untrained = ("training.epochs=1", "training.learning_rate=1e-6")
    short = graph.run(*untrained, "evaluation.target=0.99")
    first = graph.run(*untrained, "evaluation.target=0.1")
    second = graph.run()
    client = graph.tracking.store.client
    assert first.success and second.success
    failed, made, better = parents(graph, short, first, second)
    assert [run.info.run_name for run in (failed, made, better)] == [
        title("tiny", None, verdict, reused=False) for verdict in ("short", "met", "met")
    ]
    splits = metadata(first, "cleaned_splits")["digest"]
    for run, verdict in ((failed, "short"), (made, "met")):
        wanted = {"recipe": "tiny", "round": "0", "method": "full", "verdict": verdict, "data": splits}
        assert {f"luthier.{name}": value for name, value in wanted.items()}.items() <= run.data.tags.items()
        assert run.data.metrics.keys() >= {"test_accuracy"}
    assert [run.data.tags.get("luthier.champion") for run in (failed, made, better)] == [None, None, "tiny 2"]

    version = client.get_model_version("tiny", "2")
    assert version.run_id == better.info.run_id
    lineage = ("cleaned_splits", "base_model", "quantized_model", "hyperparameters", "adapter", "evaluation_report")
    assert {name: version.tags[f"luthier.{name}"] for name in lineage} == {
        name: metadata(second, name)["digest"] for name in lineage
    }
    assert version.tags["luthier.dagster_run_id"] == second.run_id

    graph.tracking.aliases("tiny").promote("1", over="2", reason="by hand", by="a test")
    assert [run.data.tags.get("luthier.champion") for run in parents(graph, first, second)] == ["tiny 1", None]

    children = [run for run in graph.mlflow_runs(second) if "mlflow.parentRunId" in run.data.tags]
    by_time = sorted(children, key=lambda run: run.info.start_time)
    assert [run.info.run_name for run in by_time] == sorted(run.info.run_name for run in children)
    assert [run.info.run_name for run in by_time] == ["2 training", "3 evaluation"]


def test_the_experiment_offers_views_with_the_deciding_metric_first(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, training=SHORT, evaluation="{metric: f1_macro, target: 1.0}")
    result = graph.run()
    (parent,) = parents(graph, result)
    tags = graph.tracking.store.client.get_experiment(parent.info.experiment_id).tags
    assert tags["mlflow.experiment.primaryMetric.name"] == "test_f1_macro"
    assert parent.data.metrics.keys() >= {"test_f1_macro"}
    views = [json.loads(value) for name, value in tags.items() if name.startswith("mlflow.sharedViewState.")]
    assert len(views) == 2
    link = metadata(result, "evaluation_report")["MLflow experiment"]
    assert f"mlflow.sharedViewState.{link.rpartition('=')[2]}" in tags
    assert link.startswith(f"http://127.0.0.1:5000/#/experiments/{parent.info.experiment_id}/runs?")
    for view in views:
        state = json.loads(view["state"])
        assert state["columnOrder"][1] == state["selectedColumns"][0] == "metrics.`test_f1_macro`"
        names = {column.partition("`")[2].rstrip("`") for column in state["selectedColumns"]}
        logged = [{*run.data.tags, *run.data.params, *run.data.metrics} for run in graph.mlflow_runs(result)]
        assert names - {"luthier.champion", "Models"} <= set().union(*logged)


def test_a_run_of_a_round_is_named_by_it(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, training=SHORT, evaluation="{target: 1.0}")
    assert title("tiny", 2, "met", reused=False) == "tiny · round 2 · met"
    first = graph.run()
    again = graph.run(tags={ROUND_TAG: "1"})
    named, reused = parents(graph, first, again)
    assert named.info.run_name == "tiny · first training · short"
    assert reused.info.run_name == "tiny · round 1 · short (reused)"
    assert (named.data.tags["luthier.round"], reused.data.tags["luthier.round"]) == ("0", "1")
