"""A recipe that starts from another recipe's champion."""

import json

import pytest
import torch

from assets.champion import Champion
from luthier.tasks import TASKS
from luthier.training.finetuning import FineTuning
from luthier.training.trainable import trainable_model
from resources.artifact_store import Artifact
from tests.dag.graph import failure, metadata

DEPLOYED = "{metric: accuracy, target: 0.1}"


def evidence(model: torch.nn.Module, tokenizer, rows, head) -> torch.Tensor:
    from luthier.tasks.task import Inference

    found = TASKS["text-classification"].predict(model, tokenizer, rows, head, Inference(16)).evidence
    return torch.tensor([list(row) for row in found])


def started(graph, recipe: str, result) -> tuple[FineTuning, torch.nn.Module]:
    """The training of a run as it began, and its model before the first step."""
    from assets.adapter import fine_tuning
    from luthier.training.hyperparameters import read_hyperparameters

    names = ("hyperparameters", "cleaned_splits", "base_model", "quantized_model")
    values, *inputs = [graph.artifacts.open(name, metadata(result, name)["digest"]) for name in names]
    job = fine_tuning("text-classification", read_hyperparameters(values.folder), *inputs, graph.artifacts)
    return job, trainable_model(job)


@pytest.mark.parametrize("continued", ["merged", "adapter"])
def test_training_starts_from_what_the_champion_answers(graph, tiny_bert, write_recipe, project, continued):
    import pyarrow.parquet as pq

    from luthier.models.loading import load_tokenizer
    from luthier.packaging.merging import load_reference

    write_recipe(base=tiny_bert, evaluation=DEPLOYED)
    first = graph.run()
    assert first.success, failure(first)
    section = f"{{adapter_of: tiny, continued: {continued}}}"
    write_recipe("tiny-full", base=tiny_bert, base_model=section, evaluation=DEPLOYED)
    second = graph.run(recipe="tiny-full")
    assert second.success, failure(second)

    job, model = started(graph, "tiny-full", second)
    champion, _ = started(graph, "tiny", first)
    rows = pq.read_table(
        graph.artifacts.root / "cleaned_splits" / metadata(first, "cleaned_splits")["digest"] / "test.parquet"
    )
    tokenizer = load_tokenizer(job.model)
    tuned = graph.artifacts.root / "adapter" / metadata(first, "adapter")["digest"]
    reference = load_reference(champion.method, champion.model, tuned, champion.head)
    expected = evidence(reference, tokenizer, rows, job.head)
    torch.testing.assert_close(evidence(model.float(), tokenizer, rows, job.head), expected, atol=2e-2, rtol=0)
    assert (job.continued is not None) is (continued == "adapter")

    lineage = metadata(second, "base_model")["lineage"]
    assert lineage["adapter_of"] == "tiny"
    assert lineage["adapter"] == metadata(first, "adapter")["digest"]
    (parent,) = [run for run in graph.mlflow_runs(second) if "mlflow.parentRunId" not in run.data.tags]
    tags = parent.data.tags
    assert tags["luthier.adapter_of"] == "tiny"
    assert tags["luthier.from.deployed_artifact"] == metadata(first, "deployed_artifact")["digest"]
    assert tags["luthier.deployed_artifact"] == metadata(second, "deployed_artifact")["digest"]


def test_the_license_of_a_base_stays_that_of_what_is_made_of_it(tmp_path):
    (tmp_path / "facts.json").write_text(json.dumps({"provenance": {"scheme": "wheel", "license": "MIT"}}))
    made = Artifact("base_model", "ab", tmp_path)
    assert Champion("tiny", "tiny", "1", made, made, made).lineage["license"] == "MIT"


def test_without_a_champion_nothing_is_trained(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert)
    write_recipe("tiny-full", base=tiny_bert, base_model="{adapter_of: tiny}")
    result = graph.run(recipe="tiny-full")
    assert not result.success
    assert "no champion to start from" in failure(result)
    assert "luthier run tiny" in failure(result)


def test_an_adapter_of_another_method_is_not_trained_on(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, evaluation=DEPLOYED)
    assert graph.run().success
    section = "{adapter_of: tiny, continued: adapter}"
    write_recipe("tiny-full", base=tiny_bert, base_model=section, method="{kind: bottleneck}")
    result = graph.run(recipe="tiny-full")
    assert not result.success
    assert "the champion's own method" in failure(result)
