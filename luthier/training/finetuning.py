"""One fine-tuning: wire, fit, keep the best checkpoint, score it again from disk."""

import json
import logging
import resource
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import Trainer, TrainingArguments

from luthier.errors import ModelError
from luthier.evaluation.plots import loss_and_metric_curves
from luthier.methods import Method
from luthier.models.loading import linear_layers, load_model, load_tokenizer
from luthier.recipe.schema import TrainingSection
from luthier.tasks import Task
from luthier.tasks.head import Head
from luthier.tasks.metric import METRICS
from luthier.training.callbacks import MetricsSink, ReportMetrics, ReportProgress, StopOnNonFiniteLoss, TrainingClock
from luthier.training.checkpoints import SealCheckpoints, last_complete
from luthier.training.compute import Compute
from luthier.training.tokens import read_tokens

log = logging.getLogger(__name__)

OPTIMIZERS = {
    "adamw": {"cuda": "adamw_torch_fused", "cpu": "adamw_torch_fused", "mps": "adamw_torch"},
    "paged_adamw": {"cuda": "paged_adamw_32bit", "cpu": "adamw_torch_fused", "mps": "adamw_torch"},
    "paged_adamw_8bit": {"cuda": "paged_adamw_8bit", "cpu": "adamw_torch_fused", "mps": "adamw_torch"},
}


@dataclass(frozen=True)
class FineTuning:
    """Everything that decides the trained weights. ``model`` is the base snapshot or the quantized model.

    ``class_weights`` go by label id; with a mean of 1 over the training rows the loss keeps its scale.
    """

    task: Task
    head: Head
    metric: str
    method: Method
    training: TrainingSection
    compute: Compute
    model: Path
    tokens: Path
    class_weights: tuple[float, ...] | None = None

    @property
    def selection_metric(self) -> str:
        """What picks the best checkpoint: the deciding metric, or perplexity where that one needs generated text."""
        return "perplexity" if METRICS[self.metric].generated else self.metric


@dataclass(frozen=True)
class TrainingFacts:
    """What one training did. Speed in rows per second of the training loop, memory in bytes, time in seconds."""

    best_score: float
    rescored: float
    best_step: int
    steps: int
    epochs: float
    resumed_from_step: int
    stopped_early: bool
    parameters: int
    trainable_parameters: int
    rows_per_second: float
    peak_memory: int
    training_seconds: float
    optimizer: str
    compute: dict[str, Any]


def finetune(job: FineTuning, *, work: Path, output: Path, on_metrics: MetricsSink) -> TrainingFacts:
    """Trains, resuming from ``work`` if it holds a complete checkpoint of this very job, and writes to ``output``.

    ``output`` receives the best checkpoint by ``job.metric`` (adapter or all weights), ``history.json`` and
    ``facts.json``.

    Raises:
        ModelError: the method does not fit the model.
        NonFiniteLossError: the loss became NaN or infinite; nothing is written to ``output``.
    """
    require_fit(job)
    job.compute.pin_threads()
    work.mkdir(parents=True, exist_ok=True)
    if job.training.optimizer.startswith("paged") and job.compute.device != "cuda":
        log.warning("%s pages only on CUDA: AdamW is used on %s", job.training.optimizer, job.compute.device)
    model = trainable_model(job)
    clock = TrainingClock()
    trainer = build_trainer(
        job, model, work, extra=[ReportProgress(job.selection_metric), ReportMetrics(on_metrics), clock]
    )
    checkpoint = last_complete(work)
    resumed = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    job.method.save(trainer.model, output)
    history = [entry for entry in trainer.state.log_history if "train_runtime" not in entry]
    (output / "history.json").write_text(json.dumps(history))
    (output / "curves.png").write_bytes(loss_and_metric_curves(history, metric=job.selection_metric, form="png"))
    facts = _facts(job, trainer, resumed=resumed, seconds=clock.seconds, rescored=rescore(job, output, work=work))
    (output / "facts.json").write_text(json.dumps(asdict(facts), indent=2))
    return facts


def require_fit(job: FineTuning) -> None:
    """Raises a ModelError that names every setting of the method that cannot work on the model."""
    mismatches = job.method.mismatches(linear_layers(job.model))
    if mismatches:
        lines = [f"method.{m.field} {m.received!r} {m.rule}" for m in mismatches]
        near = [m.nearest for m in mismatches if m.nearest]
        remedy = f"did you mean {', '.join(near)}?" if near else "change the recipe's method"
        raise ModelError("; ".join(lines), where="the method does not fit the model", remedy=remedy)


def trainable_model(job: FineTuning) -> torch.nn.Module:
    """The base with its head and the method attached."""
    compute = job.compute
    model = load_model(job.model, job.head, dtype=compute.dtype, attention=compute.attention, seed=job.training.seed)
    model = job.method.attach(model, job.head)
    if job.training.dropout == "adapter":
        silence_frozen_dropout(model)
    return model


def silence_frozen_dropout(model: torch.nn.Module) -> None:
    """Turns off the dropout of layers that are not trained; an adapter's own dropout stays."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Dropout) and "lora_" not in name:
            module.p = 0.0


class SummedLossTrainer(Trainer):
    """Trainer for losses that are sums over all labels of the accumulated batch, and labels that nothing shifts."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._loss_shifts_labels = False

    def _get_eval_sampler(self, eval_dataset: Any) -> torch.utils.data.Sampler:
        """In the order of the rows, which are sorted by length: what is kept of them stays aligned."""
        return torch.utils.data.SequentialSampler(eval_dataset)


def build_trainer(
    job: FineTuning, model: torch.nn.Module, work: Path, *, extra: list[transformers.TrainerCallback]
) -> Trainer:
    """The Trainer for ``job``: our share is configuration, the loss over the whole accumulated batch, callbacks."""
    patience = job.training.early_stopping
    callbacks = [
        StopOnNonFiniteLoss(),
        transformers.EarlyStoppingCallback(patience.patience, patience.min_delta),
        SealCheckpoints(),
        *extra,
    ]
    validation = read_tokens(job.tokens, "validation").sort("length", reverse=True)

    def metrics(prediction: transformers.EvalPrediction) -> dict[str, float]:
        return dict(job.task.validation_metrics(prediction.predictions, prediction.label_ids, validation, job.head))

    trainer = SummedLossTrainer(
        model=model,
        args=_arguments(job, work),
        train_dataset=read_tokens(job.tokens, "train"),
        eval_dataset=validation,
        data_collator=job.task.collator(load_tokenizer(job.model), job.head),
        compute_metrics=metrics,
        compute_loss_func=partial(summed_loss, job),
        preprocess_logits_for_metrics=lambda logits, labels: job.task.kept(_of_head(logits, job.head), labels),
        callbacks=callbacks,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def summed_loss(
    job: FineTuning, outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """The task's loss, over all labels of the accumulated batch or, where it is not said, of this one."""
    items = labels.ne(-100).sum() if num_items_in_batch is None else num_items_in_batch
    logits = _of_head(tuple(value for name, value in outputs.items() if name.endswith("logits")), job.head)
    return job.task.loss(
        logits, labels, items, class_weights=job.class_weights, label_smoothing=job.training.label_smoothing
    )


def _of_head(outputs: Any, head: Head) -> Any:
    """The head's own logits of a model's outputs: the first, or the first two of question answering."""
    if not isinstance(outputs, tuple):
        return outputs
    return outputs[:2] if head.kind == "question-answering" else outputs[0]


def _arguments(job: FineTuning, work: Path) -> TrainingArguments:
    training, compute = job.training, job.compute
    optimizer = OPTIMIZERS[training.optimizer][compute.device]
    return TrainingArguments(
        output_dir=str(work),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.eval_batch_size,
        gradient_accumulation_steps=training.gradient_accumulation,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.scheduler,
        warmup_steps=training.warmup,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        neftune_noise_alpha=training.neftune_alpha or None,
        optim=optimizer,
        train_sampling_strategy="group_by_length" if training.group_by_length else "random",
        seed=training.seed,
        data_seed=training.seed,
        bf16=compute.autocast,
        use_cpu=compute.device == "cpu",
        eval_strategy="epoch",
        save_strategy="epoch",
        # The best, the newest, and the one before it until the newest is sealed.
        save_total_limit=3,
        load_best_model_at_end=True,
        metric_for_best_model=job.selection_metric,
        greater_is_better=METRICS[job.selection_metric].higher_is_better,
        restore_callback_states_from_checkpoint=True,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=compute.device == "cuda",
        label_names=["labels"],
    )


def rescore(job: FineTuning, output: Path, *, work: Path) -> float:
    """The validation score of the weights as they lie in ``output``, loaded into a fresh model."""
    compute = job.compute
    model = job.method.load(job.model, output, job.head, dtype=compute.dtype, attention=compute.attention)
    return build_trainer(job, model, work, extra=[]).evaluate()[f"eval_{job.selection_metric}"]


def _facts(job: FineTuning, trainer: Trainer, *, resumed: int, seconds: float, rescored: float) -> TrainingFacts:
    state, model = trainer.state, trainer.model
    trained_rows = (
        (state.global_step - resumed) * trainer.args.train_batch_size * trainer.args.gradient_accumulation_steps
    )
    return TrainingFacts(
        best_score=state.best_metric,
        rescored=rescored,
        best_step=state.best_global_step,
        steps=state.global_step,
        epochs=round(state.epoch or 0.0, 3),
        resumed_from_step=resumed,
        stopped_early=state.global_step < state.max_steps,
        parameters=model.num_parameters(),
        trainable_parameters=model.num_parameters(only_trainable=True),
        rows_per_second=trained_rows / seconds if seconds else 0.0,
        peak_memory=peak_memory(job.compute.device),
        training_seconds=seconds,
        optimizer=str(trainer.args.optim.value),
        compute=asdict(job.compute),
    )


def peak_memory(device: str) -> int:
    """Peak memory of this process in bytes: of the accelerator when there is one, else resident."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
