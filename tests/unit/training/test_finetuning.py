import json
import math
import random
import shutil
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import transformers
from pydantic import TypeAdapter
from safetensors.torch import load_file

from luthier.data.balance import class_weights
from luthier.digest import file_digest, folder_digests
from luthier.errors import ModelError, NonFiniteLossError, UndefinedMetricError
from luthier.methods import Method
from luthier.training import trainer as training_loop
from luthier.training.finetuning import finetune
from luthier.training.job import FineTuning
from luthier.training.tokens import read_tokens, write_tokens
from luthier.training.trainable import require_fit, trainable_model
from luthier.training.trainer import build_trainer, sample_of
from tests.conftest import GOOD, PLAIN
from tests.unit.training.conftest import TASK


def ignore(values, step) -> None:
    """Metrics that nobody looks at."""


def trained(job, folder: Path):
    output = folder / "output"
    output.mkdir(parents=True)
    facts = finetune(job, work=folder / "work", output=output, on_metrics=ignore)
    return output, facts


def weights(output: Path) -> str:
    (file,) = output.glob("*.safetensors")
    return file_digest(file)


@pytest.mark.parametrize("kind", ["full", "lora", "qlora"])
def test_the_loss_falls_the_score_beats_chance_and_is_found_again_on_disk(fine_tuning, tmp_path, kind):
    rate = 2e-3 if kind == "full" else 1e-2
    patient = {"early_stopping": {"patience": 20}}
    output, facts = trained(fine_tuning(kind, learning_rate=rate, epochs=10, **patient), tmp_path)
    history = json.loads((output / "history.json").read_text())
    losses = [entry["loss"] for entry in history if "loss" in entry]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert facts.best_score == facts.rescored > 0.75
    assert {"loss", "learning_rate", "grad_norm"} <= history[0].keys()


@pytest.mark.parametrize("kind", ["full", "lora", "qlora"])
def test_the_same_fine_tuning_gives_the_same_bytes_and_another_seed_others(fine_tuning, tmp_path, kind):
    first, _ = trained(fine_tuning(kind), tmp_path / "a")
    second, _ = trained(fine_tuning(kind), tmp_path / "b")
    other, _ = trained(fine_tuning(kind, seed=18), tmp_path / "c")
    same = {n: d for n, d in folder_digests(first).items() if n.endswith(("tensors", "config.json"))}
    assert same == {n: d for n, d in folder_digests(second).items() if n in same}
    assert weights(other) != weights(first)


@pytest.mark.parametrize("kind", ["lora", "qlora"])
def test_only_the_adapter_and_the_head_are_trained_and_only_they_are_stored(fine_tuning, tmp_path, kind):
    job = fine_tuning(kind)
    model = trainable_model(job)
    names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert names and all("lora_" in name or "modules_to_save" in name for name in names)
    assert all(p.dtype == torch.float32 for p in model.parameters() if p.requires_grad)
    output, facts = trained(job, tmp_path)
    stored = load_file(output / "adapter_model.safetensors")
    assert sum(tensor.numel() for tensor in stored.values()) == facts.trainable_parameters
    assert any("classifier" in name or "score" in name for name in stored)


def test_the_parameters_of_lora_are_r_times_the_sides_of_its_layers_and_the_head(fine_tuning):
    job = fine_tuning("lora")
    model = trainable_model(job)
    layers = 2 * (4 * (32 + 32) + 2 * (32 + 64)) + (32 + 32)
    head = 32 * 2 + 2
    assert model.num_parameters(only_trainable=True) == 4 * layers + head


@pytest.mark.parametrize("weights", [None, (0.2, 3.0)])
@pytest.mark.parametrize("shape", [(8, 2), (4, 4), (6, 3)])
def test_accumulated_gradients_equal_those_of_the_large_batch(fine_tuning, tmp_path, shape, weights):
    def first_step(batch_size: int, accumulation: int) -> dict:
        settings = {"batch_size": batch_size, "gradient_accumulation": accumulation, "precision": "float32"}
        job = replace(fine_tuning("lora", group_by_length=False, **settings), class_weights=weights)
        trainer = build_trainer(job, trainable_model(job), tmp_path / f"{batch_size}x{accumulation}", extra=[])
        trainer.train()
        return trainer.state.log_history[0]

    large, small = first_step(math.prod(shape), 1), first_step(*shape)
    assert small["loss"] == pytest.approx(large["loss"], rel=1e-4)
    assert small["grad_norm"] == pytest.approx(large["grad_norm"], rel=1e-3)


def test_a_loss_that_is_not_finite_stops_the_training_at_its_step_and_leaves_nothing(
    fine_tuning, tmp_path, monkeypatch
):
    honest = training_loop.summed_loss
    calls: list[int] = []

    def poisoned(job, outputs, labels, num_items_in_batch=None):
        calls.extend([len(calls) + 1] if num_items_in_batch is not None else [])
        return honest(job, outputs, labels, num_items_in_batch) * (torch.nan if len(calls) >= 3 else 1.0)

    monkeypatch.setattr(training_loop, "summed_loss", poisoned)
    output = tmp_path / "output"
    output.mkdir()
    with pytest.raises(NonFiniteLossError, match="at step 3"):
        finetune(fine_tuning("lora"), work=tmp_path / "work", output=output, on_metrics=ignore)
    assert calls == [1, 2, 3]
    assert list(output.iterdir()) == []


def test_a_target_that_matches_nothing_is_refused_before_training(fine_tuning, tmp_path):
    job = fine_tuning("lora")
    method = job.method.model_copy(update={"target_modules": ["querry"]})
    object.__setattr__(job, "method", method)
    with pytest.raises(ModelError, match=r"matches no linear layer.*\n.*\n?.*did you mean query"):
        trained(job, tmp_path)


def test_early_stopping_keeps_the_best_checkpoint_and_not_the_last(fine_tuning, tmp_path):
    settings = {"epochs": 30, "learning_rate": 2e-2, "early_stopping": {"patience": 2}}
    output, facts = trained(fine_tuning("lora", **settings), tmp_path)
    history = json.loads((output / "history.json").read_text())
    scores = [entry["eval_accuracy"] for entry in history if "eval_accuracy" in entry]
    assert facts.stopped_early
    assert facts.best_score == max(scores)
    assert len(scores) == scores.index(max(scores)) + 3


@pytest.mark.parametrize(("every", "at"), [("epoch", [11, 22]), (4, [4, 8, 12, 16, 20, 22]), (100, [22])])
def test_validation_happens_as_often_as_asked_and_at_the_end(fine_tuning, tmp_path, every, at):
    settings = {"epochs": 2, "evaluate_every": every, "early_stopping": {"patience": 20}}
    output, facts = trained(fine_tuning("lora", **settings), tmp_path)
    history = json.loads((output / "history.json").read_text())
    assert [entry["step"] for entry in history if "eval_accuracy" in entry] == at
    assert [entry["step"] for entry in history if "train_accuracy" in entry] == at
    assert facts.best_step in at


def test_scoring_training_rows_changes_nothing_that_is_trained(fine_tuning, tmp_path):
    settings = {"epochs": 1, "evaluate_every": 3, "dropout": "model"}
    with_them, _ = trained(fine_tuning("full", **settings), tmp_path / "with")
    without, _ = trained(fine_tuning("full", **settings, train_sample=0), tmp_path / "without")
    assert weights(with_them) == weights(without)
    assert "train_loss" not in (without / "history.json").read_text()


def test_a_sample_has_all_features_of_its_rows_and_is_the_same_each_time():
    rows = [0, 0, 1, 2, 2, 2, 3, 4]
    features = datasets.Dataset.from_dict({"row": rows, "length": [5, 9, 3, 4, 4, 8, 1, 2]})
    sample = sample_of(features, 3, seed=1)
    assert len(set(sample["row"])) == 3
    assert all(rows.count(row) == sample["row"][:].count(row) for row in sample["row"])
    assert sample["length"][:] == sorted(sample["length"], reverse=True)
    assert sample["row"][:] == sample_of(features, 3, seed=1)["row"][:]
    assert len(sample_of(features, 99, seed=1)) == len(rows)
    assert sample_of(features, 0, seed=1) is None


def test_minimum_change_counts_downward_for_a_metric_that_falls(fine_tuning, tmp_path):
    job = replace(fine_tuning(early_stopping={"patience": 2, "min_delta": 0.5}), metric="perplexity")
    trainer = build_trainer(job, trainable_model(job), tmp_path, extra=[])
    (stopping,) = (c for c in trainer.callback_handler.callbacks if isinstance(c, transformers.EarlyStoppingCallback))
    trainer.state.best_metric = 10.0
    for value, failures in ((9.0, 0), (9.8, 1), (11.0, 2), (9.4, 0)):
        stopping.check_metric_value(trainer.args, trainer.state, trainer.control, value)
        assert stopping.early_stopping_patience_counter == failures


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 30, "learning_rate": 2e-2, "early_stopping": {"patience": 1}},
        {"epochs": 1.5, "evaluate_every": 4},
    ],
)
def test_a_training_that_ended_before_it_was_stored_is_stored_and_not_trained_on(fine_tuning, tmp_path, settings):
    job = fine_tuning("lora", **settings)
    first, expected = trained(job, tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    facts = finetune(job, work=tmp_path / "work", output=again, on_metrics=ignore)
    assert facts.resumed_from_step == facts.steps == expected.steps
    assert facts.stopped_early == expected.stopped_early
    assert weights(again) == weights(first)
    histories = [json.loads((folder / "history.json").read_text()) for folder in (first, again)]
    assert histories[0] == histories[1]


def test_the_facts_say_what_was_expected_and_what_was_used(fine_tuning, tmp_path):
    _, facts = trained(fine_tuning("lora", epochs=1, gradient_accumulation=2), tmp_path)
    assert (facts.batch_size, facts.gradient_accumulation, facts.out_of_memory_retries) == (16, 2, 0)
    assert facts.estimate["memory_bytes"] > 0 and facts.peak_memory > 0
    assert facts.seconds > facts.training_seconds > 0
    assert facts.diagnosis["evidence"]
    assert facts.loss_spikes == 0


def test_the_weighted_loss_is_torchs_own_but_for_the_divisor():
    torch.manual_seed(1)
    logits, labels, weights = torch.randn(50, 3), torch.randint(3, (50,)), (0.3, 1.0, 4.0)
    torchs = torch.nn.functional.cross_entropy(logits, labels, weight=torch.tensor(weights))
    of_labels = torch.tensor(weights)[labels]
    items = torch.tensor(50)
    assert TASK.loss(logits, labels, items, class_weights=weights) == pytest.approx(
        float(torchs * of_labels.sum() / 50)
    )
    rows = -logits.log_softmax(dim=1)[torch.arange(50), labels]
    assert TASK.loss(logits, labels, 200, class_weights=weights) == pytest.approx(float((of_labels * rows).sum() / 200))
    equal = TASK.loss(logits, labels, items, class_weights=(1.0, 1.0, 1.0))
    assert equal == pytest.approx(float(TASK.loss(logits, labels, items)))


def with_a_rare_label(job: FineTuning, folder: Path) -> FineTuning:
    """Five rows in a hundred are of label 1, and have a word that as many as 15 of the others have too."""
    chance = random.Random(1)
    for split, rows in (("train", 3000), ("validation", 400)):
        labels = [int(row % 20 == 0) for row in range(rows)]
        texts = [
            " ".join([*chance.sample(PLAIN, 4), "grim" if label or chance.random() < 0.16 else chance.choice(GOOD)])
            for label in labels
        ]
        pq.write_table(
            pa.table(
                {"text": texts, "pair": [None] * rows, "messages": [None] * rows, "label": labels, "label_id": labels}
            ),
            folder / f"{split}.parquet",
        )
    write_tokens(folder, job.model, job.task, job.head, max_length=16, folder=folder / "tokens")
    return replace(job, tokens=folder / "tokens")


def test_weights_find_the_rare_label_that_plain_training_does_not(fine_tuning, tmp_path):
    weights = class_weights({"false": 2850, "true": 150})
    job = with_a_rare_label(fine_tuning("full", learning_rate=2e-3, epochs=1), tmp_path)
    recalls = []
    for name, given in (("plain", None), ("weighted", (weights["false"], weights["true"]))):
        weighted = replace(job, class_weights=given)
        trainer = build_trainer(weighted, trainable_model(weighted), tmp_path / name, extra=[])
        trainer.train()
        found = trainer.predict(trainer.eval_dataset)
        recalls.append(np.mean(found.predictions.argmax(axis=1)[found.label_ids == 1]))
    plain, balanced = recalls
    assert balanced > plain + 0.5


class _Embeddings(transformers.TrainerCallback):
    """What the embeddings of two tokens are in training, twice, and in evaluation."""

    def __init__(self) -> None:
        self.seen: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

    def on_step_end(self, args, state, control, *, model, **_):
        inner = model.base_model.model if hasattr(model, "peft_config") else model
        embeddings, tokens = inner.get_input_embeddings(), torch.tensor([[7, 8]])
        in_training = [embeddings(tokens).detach().float() for _ in range(2)]
        self.seen.append((*in_training, embeddings.weight[tokens].detach().float()))


@pytest.mark.parametrize("dropout", ["adapter", "model"])
@pytest.mark.parametrize("kind", ["full", "lora", "qlora"])
def test_neftune_adds_noise_of_its_size_while_training_and_only_then(fine_tuning, tmp_path, kind, dropout):
    job = fine_tuning(kind, neftune_alpha=5.0, epochs=1, dropout=dropout)
    model, probe = trainable_model(job), _Embeddings()
    trainer = build_trainer(job, model, tmp_path / "work", extra=[probe])
    trainer.train()
    assert len(probe.seen) > 5
    for one, other, stored in probe.seen:
        limit = 5.0 / math.sqrt(one.shape[1] * one.shape[2])
        assert not torch.equal(one, other)
        assert limit / 2 < (one - stored).abs().max() <= limit * 1.01
    embeddings = [module for module in trainer.model.modules() if isinstance(module, torch.nn.Embedding)]
    assert not any(module._forward_hooks for module in embeddings)


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_neftune_changes_what_is_learned_and_not_what_is_stored_or_scored(fine_tuning, tmp_path, kind):
    plain, _ = trained(fine_tuning(kind), tmp_path / "plain")
    noisy, facts = trained(fine_tuning(kind, neftune_alpha=5.0), tmp_path / "noisy")
    again, _ = trained(fine_tuning(kind, neftune_alpha=5.0), tmp_path / "again")
    (one,), (other,) = plain.glob("*.safetensors"), noisy.glob("*.safetensors")
    assert load_file(one).keys() == load_file(other).keys()
    assert weights(plain) != weights(noisy) == weights(again)
    assert facts.best_score == facts.rescored


@pytest.mark.parametrize(
    ("kind", "length", "remedy"),
    [("lora", 64, None), ("lora", 65, "64"), ("prompt", 40, None), ("prompt", 41, "40")],
)
def test_lengths_beyond_the_models_positions_are_refused_before_training(fine_tuning, kind, length, remedy):
    """The model has 64, of which prompt tuning takes 20; batches of up to 41 tokens are padded to 48."""
    job = fine_tuning("lora")
    method = TypeAdapter(Method).validate_python({"kind": kind})
    job = replace(job, method=method, training=job.training.model_copy(update={"max_length": length}))
    if remedy is None:
        require_fit(job)
    else:
        with pytest.raises(ModelError, match=rf"into the model's 64 positions(.|\n)*set it to {remedy} at most"):
            require_fit(job)


def test_a_metric_that_validation_leaves_undefined_stops_the_training_with_the_reason(fine_tuning, tmp_path):
    job, folder = replace(fine_tuning("lora"), metric="roc_auc"), tmp_path / "tokens"
    assert trained(job, tmp_path / "defined")[1].best_score > 0
    shutil.copytree(job.tokens / "train", folder / "train")
    read_tokens(job.tokens, "validation").map(lambda row: {"labels": 0}).save_to_disk(folder / "validation")
    shutil.copyfile(job.tokens / "facts.json", folder / "facts.json")
    with pytest.raises(UndefinedMetricError, match=r"roc_auc: undefined(.|\n)*remedy: evaluate on rows of every class"):
        trained(replace(job, tokens=folder), tmp_path / "undefined")


def test_a_metric_that_nobody_asked_for_may_be_undefined(fine_tuning, tmp_path):
    """One training row has one label, with which no correlation is defined."""
    output, facts = trained(fine_tuning("lora", train_sample=1), tmp_path)
    history = json.loads((output / "history.json").read_text())
    assert facts.best_score > 0
    assert any("train_accuracy" in entry for entry in history)


def test_a_training_of_one_step_learns(fine_tuning, tmp_path):
    output, facts = trained(fine_tuning("lora", epochs=1, batch_size=512), tmp_path)
    assert facts.steps == 1
    weights = load_file(output / "adapter_model.safetensors")
    assert any(value.abs().max() > 0 for name, value in weights.items() if "lora_B" in name)
