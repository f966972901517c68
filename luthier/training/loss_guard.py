"""Watches the loss of each step: spikes are counted, a loss that stays far above its start stops the training."""

import logging
from collections.abc import Sequence
from statistics import fmean, pstdev

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from luthier.errors import TrainingDivergedError
from luthier.training.history import History, losses

log = logging.getLogger(__name__)

# What the loss of a step is held against, in steps.
LEVEL = 50
ENOUGH = 10
# A spike is above the running level by this many standard deviations, and by this share of the starting level.
DEVIATIONS, SHARE = 6.0, 0.5
# So many steps in a row above the starting level are no spike any more.
STEPS_ABOVE = 20


def starting_level(found: Sequence[float]) -> float:
    """The mean loss of the first steps."""
    return fmean(found[:ENOUGH])


def is_spike(found: Sequence[float], place: int) -> bool:
    """Whether the loss at ``place`` jumps out of the steps before it."""
    before = found[max(0, place - LEVEL) : place]
    if len(before) < ENOUGH:
        return False
    jump = found[place] - fmean(before)
    return jump > DEVIATIONS * pstdev(before) and jump > SHARE * abs(starting_level(found))


def spikes(history: History) -> int:
    """How many steps of a training were spikes."""
    found = losses(history)
    return sum(is_spike(found, place) for place in range(len(found)))


class GuardLoss(TrainerCallback):
    """Warns of each spike, and stops a training whose loss stays above ``ratio`` times its starting level.

    All it knows is the history, so it goes on where it was when a training is resumed.
    """

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio
        self.found: list[float] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.found = losses(state.log_history)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float], **_: object
    ) -> None:
        if "loss" not in logs:
            return
        self.found.append(logs["loss"])
        if is_spike(self.found, len(self.found) - 1):
            log.warning(
                "the loss jumped from %.3g to %.3g at step %d (gradient norm %.3g)",
                *self.found[-2:],
                state.global_step,
                logs["grad_norm"],
            )
        self._require_level(state.global_step, logs["learning_rate"])

    def _require_level(self, step: int, learning_rate: float) -> None:
        found = self.found
        limit = self.ratio * starting_level(found)
        if len(found) >= ENOUGH + STEPS_ABOVE and min(found[-STEPS_ABOVE:]) > limit > 0:
            raise TrainingDivergedError(
                f"the loss stayed above {limit:.3g} for {STEPS_ABOVE} steps, until step {step}; "
                f"it began at {starting_level(found):.3g}",
                where="training",
                received={"loss": found[-1], "learning_rate": learning_rate},
                remedy="lower training.learning_rate or raise training.warmup; "
                "training.max_loss_ratio says how far it may rise",
            )
