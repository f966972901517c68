import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from luthier.digest import file_digest, folder_digests
from luthier.errors import ModelError, NonFiniteLossError
from luthier.training import finetuning
from luthier.training.finetuning import build_trainer, finetune, trainable_model


def ignore(values, step) -> None:
    """Metrics that nobody looks at."""


def trained(job, folder: Path, *, work: str = "work"):
    output = folder / "output"
    output.mkdir(parents=True)
    facts = finetune(job, work=folder / work, output=output, on_metrics=ignore)
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


@pytest.mark.parametrize("shape", [(8, 2), (4, 4), (6, 3)])
def test_accumulated_gradients_equal_those_of_the_large_batch(fine_tuning, tmp_path, shape):
    def first_step(batch_size: int, accumulation: int) -> dict:
        settings = {"batch_size": batch_size, "gradient_accumulation": accumulation, "precision": "float32"}
        job = fine_tuning("lora", group_by_length=False, **settings)
        trainer = build_trainer(job, trainable_model(job), tmp_path / f"{batch_size}x{accumulation}", extra=[])
        trainer.train()
        return trainer.state.log_history[0]

    large, small = first_step(math.prod(shape), 1), first_step(*shape)
    assert small["loss"] == pytest.approx(large["loss"], rel=1e-4)
    assert small["grad_norm"] == pytest.approx(large["grad_norm"], rel=1e-3)


def test_a_loss_that_is_not_finite_stops_the_training_at_its_step_and_leaves_nothing(
    fine_tuning, tmp_path, monkeypatch
):
    honest = finetuning.mean_loss
    calls: list[int] = []

    def poisoned(*args, **kwargs):
        calls.append(len(calls) + 1)
        return honest(*args, **kwargs) * (torch.nan if len(calls) >= 3 else 1.0)

    monkeypatch.setattr(finetuning, "mean_loss", poisoned)
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
