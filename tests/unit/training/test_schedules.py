from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from pydantic import TypeAdapter

from luthier.errors import ModelError
from luthier.methods import Method
from luthier.training.trainable import require_fit, trainable_model
from luthier.training.trainer import build_trainer

STEPS = 100


def rates(job, folder) -> list[float]:
    """The learning rate of each of ``STEPS`` steps, as shares of its peak."""
    trainer = build_trainer(job, trainable_model(job), folder, extra=[])
    trainer.create_optimizer()
    scheduler = trainer.create_scheduler(STEPS)
    found = []
    for _ in range(STEPS):
        found.append(scheduler.get_last_lr()[0] / job.training.learning_rate)
        trainer.optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(
    ("scheduler", "at_half", "at_end"),
    [("linear", 0.555, 0.011), ("cosine", 0.587, 0.0), ("constant", 1, 1), ("inverse_sqrt", 0.447, 0.318)],
)
def test_the_rate_rises_over_the_warm_up_and_falls_as_its_schedule_says(
    fine_tuning, tmp_path, scheduler, at_half, at_end
):
    found = rates(fine_tuning(scheduler=scheduler, warmup=0.1), tmp_path)
    assert found[:11] == pytest.approx([step / 10 for step in range(11)])
    assert found[50] == pytest.approx(at_half, abs=2e-3)
    assert found[-1] == pytest.approx(at_end, abs=2e-3)


def test_wsd_keeps_the_rate_until_the_decay_and_ends_near_zero(fine_tuning, tmp_path):
    found = rates(fine_tuning(scheduler="wsd", warmup=0.1, decay=0.3), tmp_path)
    assert found[10:71] == [1.0] * 61
    assert all(later < sooner for sooner, later in pairwise(found[70:]))
    assert found[-1] < 0.05


def test_the_decay_of_wsd_ends_where_the_warm_up_begins(fine_tuning, tmp_path):
    found = rates(fine_tuning(scheduler="wsd", warmup=0.5, decay=1.0), tmp_path)
    assert max(found) == found[50] == 1.0
    assert found[-1] < 0.05


def test_lora_plus_steps_further_with_b_than_with_a(fine_tuning, tmp_path):
    job = fine_tuning("lora")
    method = TypeAdapter(Method).validate_python({"kind": "lora", "r": 4, "lora_plus_ratio": 16.0})
    model = trainable_model(replace(job, method=method))
    optimizer = build_trainer(replace(job, method=method), model, tmp_path, extra=[]).create_optimizer()
    rate = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    found = {name: rate.pop(id(p)) for name, p in model.named_parameters() if p.requires_grad}
    assert not rate
    assert {round(lr / job.training.learning_rate, 6) for name, lr in found.items() if "lora_B" in name} == {16.0}
    assert {round(lr / job.training.learning_rate, 6) for name, lr in found.items() if "lora_B" not in name} == {1.0}


def test_recomputed_activations_give_the_gradients_of_those_that_were_kept(fine_tuning, tmp_path):
    norms = {}
    for recomputed in (False, True):
        job = fine_tuning("lora", activation_checkpointing=recomputed, precision="float32", epochs=0.2)
        trainer = build_trainer(job, trainable_model(job), tmp_path / str(recomputed), extra=[])
        trainer.train()
        norms[recomputed] = [entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry]
        assert trainer.model.is_activation_checkpointing == recomputed
    assert norms[True] == pytest.approx(norms[False], rel=1e-4)
    assert all(norm > 0 for norm in norms[True])


def test_what_a_method_or_a_task_cannot_do_is_refused_with_what_to_do_instead(fine_tuning, tmp_path):
    prefix = TypeAdapter(Method).validate_python({"kind": "prefix"})
    with pytest.raises(ModelError, match=r"prefix cannot recompute(.|\n)*training.batch_size"):
        require_fit(replace(fine_tuning(activation_checkpointing=True), method=prefix))
    job = fine_tuning(packing=True)
    with pytest.raises(ModelError, match="text-classification cannot put several rows into one"):
        build_trainer(job, trainable_model(job), tmp_path, extra=[])


def test_only_the_dropout_of_the_base_is_turned_off(fine_tuning):
    job = fine_tuning("lora")
    method = TypeAdapter(Method).validate_python({"kind": "lora", "r": 4, "dropout": 0.3})
    model = trainable_model(replace(job, method=method))
    shares = {name: m.p for name, m in model.named_modules() if isinstance(m, torch.nn.Dropout)}
    assert {p for name, p in shares.items() if "lora_" in name} == {0.3}
    assert {p for name, p in shares.items() if "lora_" not in name} == {0.0}
