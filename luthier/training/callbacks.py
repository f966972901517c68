"""What the loop reports while it runs, and what stops it."""

import logging
import math
import time
from collections.abc import Callable, Mapping

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from luthier.errors import NonFiniteLossError
from luthier.training.memory import release_memory

log = logging.getLogger(__name__)

MetricsSink = Callable[[Mapping[str, float], int], None]

SECONDS_BETWEEN_LINES = 3.0
# Trainer sorts the rows of so many steps by length, the longest first; an epoch has so many groups at least.
STEPS_IN_GROUP, GROUPS = 50, 4


def numbers(entry: Mapping[str, object]) -> dict[str, float]:
    """The measured values of one log entry, without its step."""
    return {name: value for name, value in entry.items() if isinstance(value, (int, float)) and name != "step"}


class ReportMetrics(TrainerCallback):
    """Hands every logged value to a sink; a resumed training first hands over what it logged before."""

    def __init__(self, sink: MetricsSink) -> None:
        self.sink = sink

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        for entry in state.log_history:
            self.sink(numbers(entry), entry["step"])

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float], **_: object
    ) -> None:
        self.sink(numbers(logs), state.global_step)


class StopOnNonFiniteLoss(TrainerCallback):
    """Stops at the step where the loss becomes NaN or infinite."""

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float], **_: object
    ) -> None:
        for name in ("loss", "eval_loss", "grad_norm"):
            if not math.isfinite(logs.get(name, 0.0)):
                raise NonFiniteLossError(
                    f"{name} is {logs[name]} at step {state.global_step}",
                    where="training",
                    received={"learning_rate": logs.get("learning_rate", args.learning_rate)},
                    remedy="lower training.learning_rate or raise training.warmup",
                )


class ReportProgress(TrainerCallback):
    """One log line every few seconds: epoch, step, loss, rows per second and time left."""

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.began = self.reported = self.began_at = 0.0
        self.loss = math.nan

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.began = self.reported = time.monotonic()
        self.began_at = state.global_step
        if state.global_step:
            log.info("resumed at step %d of %d", state.global_step, state.max_steps)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float], **_: object
    ) -> None:
        self.loss = logs.get("loss", self.loss)
        if f"eval_{self.metric}" in logs:
            log.info(
                "epoch %g of %g: validation %s %.4f, loss %.4f",
                round(state.epoch or 0, 2),
                args.num_train_epochs,
                self.metric,
                logs[f"eval_{self.metric}"],
                logs["eval_loss"],
            )
        elif "loss" in logs and time.monotonic() - self.reported > SECONDS_BETWEEN_LINES:
            self.reported = time.monotonic()
            self._report(args, state)

    def _report(self, args: TrainingArguments, state: TrainerState) -> None:
        steps, seconds = state.global_step - self.began_at, time.monotonic() - self.began
        rows = steps * args.per_device_train_batch_size * args.gradient_accumulation_steps
        left = (state.max_steps - state.global_step) * seconds / steps
        log.info(
            "epoch %.1f of %g, step %d of %d, loss %.3f, %.0f rows/s, %d:%02d left",
            state.epoch or 0,
            args.num_train_epochs,
            state.global_step,
            state.max_steps,
            self.loss,
            rows / seconds,
            *divmod(round(left), 60),
        )


class TrainingClock(TrainerCallback):
    """The seconds spent in training steps: saving and evaluating do not count."""

    def __init__(self) -> None:
        self.seconds = self._began = 0.0

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self._began = time.perf_counter()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        self.seconds += time.perf_counter() - self._began


class ReleaseMemory(TrainerCallback):
    """Gives freed memory back before the longest rows come: at the start of an epoch, and of each group of lengths."""

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        self.began = state.global_step
        self.every = max(1, min(STEPS_IN_GROUP, int(state.max_steps / args.num_train_epochs / GROUPS)))
        release_memory("cpu")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if (state.global_step - self.began) % self.every == 0 or control.should_evaluate:
            release_memory("cpu")

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        release_memory("cpu")
