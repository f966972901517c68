"""Studies, rounds and the values that come of them, through the shipped assets."""

from pathlib import Path

from luthier.tuning.report import read_study
from pipelines.jobs import FINETUNED, TUNED
from tests.dag.graph import failure, metadata, remade

TUNING = "{trials: 5, space: {learning_rate: {low: 1.0e-4, high: 3.0e-2, log: true}, r: [2, 4, 64]}}"
SLOW = "{epochs: 3, batch_size: 16, max_length: 16, learning_rate: 1.0e-4, threads: 1}"


def test_a_study(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, training=SLOW, tuning=TUNING, evaluation="{metric: accuracy, target: 0.9}")
    first = graph.run(select=FINETUNED)
    assert first.success, failure(first)
    second = graph.run(select=TUNED.downstream())
    assert second.success, failure(second)
    found = read_study(Path(metadata(second, "tuning_study")["folder"]))
    for t in found.trials:
        print(t)
    print(found.importances, found.revisions, found.space)
    print(metadata(second, "hyperparameters")["study"])
    print(
        {
            k: v
            for k, v in metadata(second, "adapter").items()
            if k in ("best validation score", "resumed from step", "steps")
        }
    )
    print(remade(second))
    for run in graph.mlflow_runs(second):
        print(
            run.info.run_name,
            run.info.status,
            {k: v for k, v in run.data.tags.items() if "trial" in k or "prun" in k},
            run.data.params if "trial" in run.info.run_name else "",
        )
    third = graph.run(select=TUNED.downstream())
    assert third.success, failure(third)
    found = read_study(Path(metadata(third, "tuning_study")["folder"]))
    for t in found.trials:
        print(t.number, t.state, t.values, t.score, t.origin, t.seconds)
    print(found.revisions, found.space)
    print(remade(third))
    assert 0
