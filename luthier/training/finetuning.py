"""One fine-tuning: wire, estimate, fit, keep the best checkpoint, score it again from disk."""

import gc
import json
import logging
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from luthier.errors import OutOfMemoryError
from luthier.evaluation.plots import loss_and_metric_curves
from luthier.training.callbacks import MetricsSink, ReportMetrics, ReportProgress, TrainingClock
from luthier.training.checkpoints import last_complete
from luthier.training.diagnosis import diagnose
from luthier.training.estimate import estimate_training, in_megabytes, require_weights_fit
from luthier.training.facts import TrainingFacts
from luthier.training.fresh_process import in_fresh_process
from luthier.training.job import FineTuning
from luthier.training.loss_guard import spikes
from luthier.training.memory import peak_memory, release_memory
from luthier.training.out_of_memory import (
    halved,
    is_to_be_halved,
    memory_watched,
    remember_to_halve,
    require_not_ended_by_kernel,
)
from luthier.training.tokens import require_learnable
from luthier.training.trainable import require_fit, trainable_model
from luthier.training.trainer import SummedLossTrainer, build_trainer

log = logging.getLogger(__name__)


def finetune(job: FineTuning, *, work: Path, output: Path, on_metrics: MetricsSink) -> TrainingFacts:
    """Trains, resuming from ``work`` if it holds a complete checkpoint of this very job, and writes to ``output``.

    ``output`` receives the best checkpoint by ``job.metric`` (adapter or all weights), ``history.json``,
    ``curves.png`` and ``facts.json``. Where the memory runs out, a fresh process starts once more with half the batch,
    if the recipe allows: its result is that of a recipe which says so from the beginning.

    Raises:
        ModelError: the method does not fit the model.
        DataError: too many rows have nothing to learn from.
        ResourceError: the memory or the disk will not do; nothing was trained.
        OutOfMemoryError: the memory ran out.
        NonFiniteLossError: the loss became NaN or infinite; nothing is written to ``output``.
        TrainingDivergedError: the loss stayed far above where it began; nothing is written to ``output``.
    """
    require_fit(job)
    require_learnable(job.tokens, job.training.max_unlearnable)
    if not is_to_be_halved(work):
        try:
            require_not_ended_by_kernel(job.training, work)
            return train_once(job, work=work, output=output, on_metrics=on_metrics)
        except OutOfMemoryError as error:
            if job.training.on_out_of_memory == "fail" or job.training.batch_size == 1:
                raise
            log.warning("%s", error)
        remember_to_halve(work)
    gc.collect()
    release_memory(job.compute.device)
    smaller = replace(job, training=halved(job.training))
    log.warning("training begins again in a fresh process, with batches of %d rows", smaller.training.batch_size)
    work = work / f"batch-{smaller.training.batch_size}"
    return in_fresh_process(partial(train_once, smaller, work=work, output=output, retries=1), on_metrics=on_metrics)


def train_once(
    job: FineTuning, *, work: Path, output: Path, on_metrics: MetricsSink, retries: int = 0
) -> TrainingFacts:
    """``finetune`` without its second attempt; ``retries`` says which attempt this is."""
    job.compute.pin_threads()
    work.mkdir(parents=True, exist_ok=True)
    if job.training.optimizer.startswith("paged") and job.compute.device != "cuda":
        log.warning("%s pages only on CUDA: AdamW is used on %s", job.training.optimizer, job.compute.device)
    require_weights_fit(job)
    clock = TrainingClock()
    reports = [ReportProgress(job.selection_metric), ReportMetrics(on_metrics), clock]
    trainer = build_trainer(job, trainable_model(job), work, extra=reports)
    estimate = estimate_training(trainer)
    log.info(
        "expected: %s of memory, %.0f s, %s of disk",
        in_megabytes(estimate.memory_bytes),
        estimate.seconds,
        in_megabytes(estimate.disk_bytes),
    )
    with memory_watched(job.training, estimate, work):
        found = _fitted(job, trainer, clock, work=work, output=output)
        # The model that was trained goes before the one that was stored comes.
        del trainer
        gc.collect()
        release_memory(job.compute.device)
        rescored = rescore(job, output, work=work)
    facts = TrainingFacts(
        **found,
        rescored=rescored,
        peak_memory=peak_memory(job.compute.device),
        compute=asdict(job.compute),
        batch_size=job.training.batch_size,
        gradient_accumulation=job.training.gradient_accumulation,
        out_of_memory_retries=retries,
        estimate=asdict(estimate),
    )
    (output / "facts.json").write_text(json.dumps(asdict(facts), indent=2))
    log.info(
        "used: %s of memory, %.0f s (expected: %s, %.0f s)",
        in_megabytes(facts.peak_memory),
        facts.seconds,
        in_megabytes(estimate.memory_bytes),
        estimate.seconds,
    )
    return facts


def _fitted(
    job: FineTuning, trainer: SummedLossTrainer, clock: TrainingClock, *, work: Path, output: Path
) -> dict[str, Any]:
    """Trains, writes what was trained and its history, and returns what there is to say of it."""
    checkpoint, began = last_complete(work), time.monotonic()
    resumed = trainer.fit(checkpoint)
    seconds = time.monotonic() - began
    job.method.save(trainer.model, output)
    history = [entry for entry in trainer.state.log_history if "train_runtime" not in entry]
    (output / "history.json").write_text(json.dumps(history))
    (output / "curves.png").write_bytes(loss_and_metric_curves(history, metric=job.selection_metric, form="png"))
    diagnosis = diagnose(history, job.selection, min_delta=job.training.early_stopping.min_delta)
    log.log(logging.INFO if diagnosis.healthy else logging.WARNING, "%s: %s", diagnosis.kind, diagnosis.evidence)
    state, training = trainer.state, job.training
    rows = (state.global_step - resumed) * training.batch_size * training.gradient_accumulation
    return {
        "best_score": state.best_metric,
        "best_step": state.best_global_step,
        "steps": state.global_step,
        "epochs": round(state.epoch or 0.0, 3),
        "resumed_from_step": resumed,
        "stopped_early": state.global_step < state.max_steps,
        # Not num_parameters, which leaves virtual tokens out.
        "parameters": sum(weights.numel() for weights in trainer.model.parameters()),
        "trainable_parameters": sum(weights.numel() for weights in trainer.model.parameters() if weights.requires_grad),
        "rows_per_second": rows / clock.seconds if clock.seconds else 0.0,
        "training_seconds": clock.seconds,
        "seconds": seconds,
        "optimizer": str(trainer.args.optim.value),
        "loss_spikes": spikes(history),
        "diagnosis": {**asdict(diagnosis), "healthy": diagnosis.healthy},
    }


def rescore(job: FineTuning, output: Path, *, work: Path) -> float:
    """The validation score of the weights as they lie in ``output``, loaded into a fresh model."""
    compute = job.compute
    model = job.method.load(job.model, output, job.head, dtype=compute.dtype, attention=compute.attention)
    return build_trainer(job, model, work, extra=[]).evaluate()[f"eval_{job.selection_metric}"]
