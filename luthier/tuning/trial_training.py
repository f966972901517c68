"""The training of one trial: the very training that its values would get, judged on its way."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from luthier.training.callbacks import MetricsSink, ReportMetrics, ReportProgress
from luthier.training.checkpoints import last_complete
from luthier.training.diagnosis import diagnose
from luthier.training.estimate import estimate_needs
from luthier.training.job import FineTuning
from luthier.training.tokens import require_learnable
from luthier.training.trainable import require_fit, trainable_model
from luthier.training.trainer import SummedLossTrainer, build_trainer

# Shares of a training at which trials are held against each other: a ninth, a third, all of it.
FACTOR = 3
EARLY = (1 / FACTOR**2, 1 / FACTOR)
PEEKS = "peeks.json"


@dataclass(frozen=True)
class Standing:
    """How far a trial is, and its validation score there."""

    step: int
    max_steps: int
    score: float

    @property
    def percent(self) -> int:
        """Of the trial's own training; what pruners compare by, since trials differ in length."""
        return math.floor(100 * self.step / self.max_steps + 1e-9)


# Whether the trial is to go on.
Judge = Callable[[Standing], bool]


@dataclass(frozen=True)
class TrialOutcome:
    """What a trial's training came to; ``pruned`` says that it was ended early."""

    pruned: bool
    score: float
    step: int
    max_steps: int
    curve: tuple[tuple[int, float], ...]
    seconds: float
    diagnosis: str | None


class Pruned(Exception):
    """A trial that is not worth going on with."""


class ReportStandings(TrainerCallback):
    """Reports each validation, and the scores at ``EARLY`` shares where the first validation comes later.

    A resumed training reports first what it had reported before.
    """

    trainer: SummedLossTrainer

    def __init__(self, judge: Judge, metric: str, work: Path) -> None:
        self.judge, self.metric, self.peeks = judge, metric, work / PEEKS
        self.curve: dict[int, float] = {}
        self.due: list[int] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        steps = state.max_steps
        first = steps / args.num_train_epochs if args.eval_strategy == "epoch" else state.eval_steps
        found = {math.ceil(share * steps) for share in EARLY}
        self.due = sorted(step for step in found if 0 < step < 0.9 * first)
        before = {int(step): score for step, score in self._kept().items() if int(step) <= state.global_step}
        name = f"eval_{self.metric}"
        before |= {entry["step"]: entry[name] for entry in state.log_history if name in entry}
        for step in sorted(before):
            self._report(step, before[step], state)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if state.global_step in self.due and state.global_step not in self.curve:
            score = self.trainer.validation_score()
            self.peeks.write_text(json.dumps({**self._kept(), str(state.global_step): score}))
            self._report(state.global_step, score, state)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, float],
        **_: object,
    ) -> None:
        self._report(state.global_step, metrics[f"eval_{self.metric}"], state)

    def _kept(self) -> dict[str, float]:
        return json.loads(self.peeks.read_text()) if self.peeks.is_file() else {}

    def _report(self, step: int, score: float, state: TrainerState) -> None:
        if step in self.curve:
            return
        self.curve[step] = score
        if not self.judge(Standing(step, state.max_steps, score)):
            raise Pruned


def train_trial(
    job: FineTuning, work: Path, *, untrained: torch.nn.Module | None, on_metrics: MetricsSink, judge: Judge
) -> TrialOutcome:
    """Trains until the end or until ``judge`` says no; checkpoints stay in ``work``, where ``finetune`` goes on.

    Raises:
        LuthierError: as ``finetune``; nothing is tried again with smaller batches.
    """
    job.compute.pin_threads()
    require_fit(job)
    require_learnable(job.tokens, job.training.max_unlearnable)
    work.mkdir(parents=True, exist_ok=True)
    standings = ReportStandings(judge, job.selection_metric, work)
    reports = [ReportProgress(job.selection_metric), ReportMetrics(on_metrics), standings]
    trainer = standings.trainer = build_trainer(job, trainable_model(job, untrained), work, extra=reports)
    estimate_needs(trainer)
    began = time.monotonic()
    try:
        trainer.fit(last_complete(work))
    except Pruned:
        return _outcome(job, trainer, standings, seconds=time.monotonic() - began, pruned=True)
    return _outcome(job, trainer, standings, seconds=time.monotonic() - began, pruned=False)


def _outcome(
    job: FineTuning, trainer: SummedLossTrainer, standings: ReportStandings, *, seconds: float, pruned: bool
) -> TrialOutcome:
    state, curve = trainer.state, standings.curve
    best: Any = max if job.selection.higher_is_better else min
    diagnosis = None
    if not pruned:
        history = [entry for entry in state.log_history if "train_runtime" not in entry]
        diagnosis = diagnose(history, job.selection, min_delta=job.training.early_stopping.min_delta).kind
    return TrialOutcome(
        pruned=pruned,
        score=best(curve.values()) if pruned else state.best_metric,
        step=state.global_step,
        max_steps=state.max_steps,
        curve=tuple(sorted(curve.items())),
        seconds=seconds,
        diagnosis=diagnosis,
    )
