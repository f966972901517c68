from dataclasses import replace

import pytest
import torch

from luthier.errors import ResourceError
from luthier.tasks.batches import padded_length
from luthier.training import estimate
from luthier.training.estimate import estimate_training, padded_tokens, require_room, require_weights_fit
from luthier.training.finetuning import finetune
from luthier.training.probe import kept_memory
from luthier.training.trainable import trainable_model
from luthier.training.trainer import SummedLossTrainer, build_trainer


@pytest.fixture
def trainer_of(fine_tuning, tmp_path):
    def make(kind: str = "lora", **settings: object) -> SummedLossTrainer:
        job = fine_tuning(kind, **settings)
        return build_trainer(job, trainable_model(job), tmp_path / "work", extra=[])

    return make


def test_gradients_and_optimizer_states_are_those_of_what_is_trained(trainer_of):
    for kind in ("full", "lora", "qlora"):
        trainer = trainer_of(kind)
        trained = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
        found = estimate_training(trainer)
        assert found.parts["gradients"] == 4 * trained
        assert found.parts["optimizer"] == 8 * trained
        assert sum(found.parts.values()) == found.memory_bytes > found.present
        assert found.disk_bytes > 4 * 12 * trained


def test_activations_grow_with_the_rows_and_shrink_when_they_are_recomputed(trainer_of):
    activations = [
        estimate_training(trainer_of("full", **settings)).parts["activations"]
        for settings in (
            {"batch_size": 64, "eval_batch_size": 1},
            {"batch_size": 128, "eval_batch_size": 1},
            {"batch_size": 128, "eval_batch_size": 1, "activation_checkpointing": True},
        )
    ]
    assert activations[1] == pytest.approx(2 * activations[0], rel=0.05)
    assert activations[2] < 0.8 * activations[1]


def test_what_is_kept_of_a_batch_is_what_autograd_keeps_of_it(trainer_of):
    trainer = trainer_of("full", precision="float32")
    kept = kept_memory(trainer)
    lengths = trainer.train_dataset["length"]
    longest = lengths.index(max(lengths))
    rows, saved = 7, {}
    own = {p.untyped_storage().data_ptr() for p in [*trainer.model.parameters(), *trainer.model.buffers()]}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    batch = trainer.batch([longest] * rows)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = trainer.compute_loss(trainer.model.train(), batch)
    assert kept.of(rows) == pytest.approx(sum(size for place, size in saved.items() if place not in own), rel=0.02)
    assert loss.requires_grad


@pytest.mark.parametrize("kind", ["full", "qlora"])
def test_an_estimate_leaves_no_trace(trainer_of, kind):
    trainer = trainer_of(kind, dropout="model")
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    chance = torch.get_rng_state()
    estimate_training(trainer)
    assert torch.equal(torch.get_rng_state(), chance)
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())
    assert all(parameter.grad is None for parameter in trainer.model.parameters())


def test_the_time_grows_with_the_epochs_and_what_is_evaluated(trainer_of, monkeypatch):
    monkeypatch.setattr(estimate, "speed", lambda trainer: estimate.Speed(training=1.0, evaluation=0.0))
    once, thrice = (estimate_training(trainer_of(epochs=epochs)).seconds for epochs in (1, 3))
    trainer = trainer_of()
    tokens = sum(map(padded_length, trainer.train_dataset["length"]))
    assert thrice == pytest.approx(3 * once)
    assert tokens <= once < 1.2 * tokens
    monkeypatch.setattr(estimate, "speed", lambda trainer: estimate.Speed(training=0.0, evaluation=1.0))
    assert estimate_training(trainer_of(evaluate_every=1)).seconds > 5 * estimate_training(trainer).seconds


def test_a_batch_is_padded_to_its_longest_row_rounded_up():
    assert padded_tokens([1, 2, 8, 9, 9], 2) == 2 * 8 + 2 * 16 + 16


def test_a_training_that_cannot_fit_is_refused_and_one_that_hardly_does_is_warned_of(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(estimate, "available_memory", lambda device: 1_000_000_000)
    require_room(990_000_000, 0, "cpu", tmp_path)
    assert not caplog.records
    require_room(1_200_000_000, 0, "cpu", tmp_path)
    assert "may fail" in caplog.text
    with pytest.raises(ResourceError, match=r"1,300 MB of memory, and 1,000 MB are free(.|\n)*training.batch_size"):
        require_room(1_300_000_000, 0, "cpu", tmp_path)
    with pytest.raises(ResourceError, match="of disk"):
        require_room(0, 10**18, "cpu", tmp_path)


def test_a_training_that_cannot_fit_is_refused_before_its_first_step(fine_tuning, tmp_path, monkeypatch):
    monkeypatch.setattr(estimate, "available_memory", lambda device: 500_000)
    monkeypatch.setattr(estimate, "speed", None)
    with pytest.raises(ResourceError, match="of memory"):
        finetune(fine_tuning(), work=tmp_path / "work", output=tmp_path, on_metrics=lambda *_: None)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_model_larger_than_the_memory_is_not_even_loaded(fine_tuning, tmp_path, monkeypatch):
    (tmp_path / "model.safetensors").write_bytes(bytes(2_000))
    monkeypatch.setattr(estimate, "available_memory", lambda device: 1_000)
    with pytest.raises(ResourceError, match="smaller base model"):
        require_weights_fit(replace(fine_tuning(), model=tmp_path))
