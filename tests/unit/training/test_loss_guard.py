import random

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from luthier.errors import TrainingDivergedError
from luthier.training.loss_guard import ENOUGH, STEPS_ABOVE, GuardLoss, spikes


def falling(steps: int = 100) -> list[float]:
    """A noisy loss that falls from 1 to 0.3."""
    chance = random.Random(1)
    return [0.3 + 0.7 * 0.97**step + chance.uniform(-0.05, 0.05) for step in range(steps)]


def history(losses: list[float]) -> list[dict[str, float]]:
    return [{"loss": loss, "step": step} for step, loss in enumerate(losses, start=1)]


def watch(guard: GuardLoss, losses: list[float], tmp_path, *, before: list[float]) -> None:
    """Logs ``losses`` one by one to a guard that begins with the history of ``before``."""
    state, control = TrainerState(log_history=history(before)), TrainerControl()
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to="none")
    guard.on_train_begin(arguments, state, control)
    for step, loss in enumerate(losses, start=len(before) + 1):
        state.global_step = step
        logs = {"loss": loss, "learning_rate": 1e-3, "grad_norm": 1.0}
        guard.on_log(arguments, state, control, logs=logs)


def test_noise_is_no_spike_and_a_jump_is_one():
    losses = falling()
    assert spikes(history(losses)) == 0
    losses[60] += 3
    assert spikes(history(losses)) == 1


def test_a_spike_is_said_with_its_step_and_stops_nothing(tmp_path, caplog):
    losses = falling()
    losses[60] += 30
    watch(GuardLoss(3.0), losses, tmp_path, before=[])
    assert [record for record in caplog.records if "at step 61" in record.getMessage()]


def test_a_loss_that_stays_above_the_limit_stops_the_training_after_so_many_steps(tmp_path):
    with pytest.raises(TrainingDivergedError, match=f"until step {ENOUGH + STEPS_ABOVE};") as stopped:
        watch(GuardLoss(3.0), [1.0] * ENOUGH + [3.1] * 100, tmp_path, before=[])
    assert "training.learning_rate" in str(stopped.value)
    watch(GuardLoss(3.0), [1.0] * ENOUGH + [2.9] * 100, tmp_path, before=[])
    watch(GuardLoss(4.0), [1.0] * ENOUGH + [3.1] * 100, tmp_path, before=[])


def test_one_step_below_the_limit_begins_the_count_anew(tmp_path):
    high = [3.1] * (STEPS_ABOVE - 1)
    watch(GuardLoss(3.0), [1.0] * ENOUGH + [*high, 2.0, *high], tmp_path, before=[])


def test_a_resumed_training_is_held_against_where_the_first_one_began(tmp_path):
    with pytest.raises(TrainingDivergedError, match=f"until step {ENOUGH + STEPS_ABOVE};"):
        watch(GuardLoss(3.0), [3.1] * 15, tmp_path, before=[1.0] * ENOUGH + [3.1] * 5)
