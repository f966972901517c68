"""The training loop: transformers' Trainer with the task's loss, the recipe's schedule and our callbacks."""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers
from transformers import Trainer

from luthier.errors import ModelError
from luthier.methods.trained_weights import read_trained, write_trained
from luthier.models.loading import load_tokenizer
from luthier.tasks.head import Head
from luthier.tasks.language_modeling import LanguageModeling
from luthier.tasks.packing import PACKABLE_FAMILIES
from luthier.training.arguments import training_arguments
from luthier.training.callbacks import ReleaseMemory, StopOnNonFiniteLoss
from luthier.training.checkpoints import SealCheckpoints
from luthier.training.job import FineTuning
from luthier.training.loss_guard import GuardLoss
from luthier.training.order import GroupedByLength
from luthier.training.tokens import read_tokens


class SummedLossTrainer(Trainer):
    """Trainer for losses that are sums over all labels of the accumulated batch, and labels that nothing shifts.

    Each validation is followed by one of ``train_sample``, which changes nothing that training draws by chance.
    """

    optimizer: torch.optim.Optimizer | None
    compute_metrics: Callable[[transformers.EvalPrediction], Mapping[str, float]]

    def __init__(self, job: FineTuning, *, train_sample: datasets.Dataset | None, **settings: Any) -> None:
        validation = settings["eval_dataset"]
        scores = partial(validation_scores, job, validation, required=job.selection_metric)
        super().__init__(compute_metrics=scores, **settings)
        self.job, self.train_sample = job, train_sample
        self._loss_shifts_labels = False

    def fit(self, checkpoint: Path | None) -> int:
        """Trains to the end and restores the best weights; returns the step that ``checkpoint`` is from, else 0.

        A checkpoint at which training had ended is not trained on: the Trainer would take one more step.
        """
        if checkpoint is None:
            self.train()
            return 0
        state = transformers.TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        stopping = state.stateful_callbacks["EarlyStoppingCallback"]["attributes"]["early_stopping_patience_counter"]
        if state.global_step < state.max_steps and stopping < self.job.training.early_stopping.patience:
            self.train(resume_from_checkpoint=str(checkpoint))
        else:
            self.state = state
            self._load_best_model()
            self.callback_handler.on_train_begin(self.args, self.state, self.control)
        return state.global_step

    def batch(self, places: Sequence[int]) -> dict[str, torch.Tensor]:
        """Training rows by their places as one batch, where the model is."""
        rows = self._remove_unused_columns(self.train_dataset.select(places))
        return self._prepare_inputs(self.data_collator(list(rows)))

    def _save(self, output_dir: str | None = None, state_dict: Mapping[str, Any] | None = None) -> None:
        """What trains, and nothing else: PEFT stores a prefix or a prompt as it answers, which cannot be trained on."""
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        write_trained(self.model, folder)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
        read_trained(model or self.model, Path(resume_from_checkpoint))

    def _load_best_model(self) -> None:
        read_trained(self.model, Path(self.state.best_model_checkpoint))

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler | None:
        if not self.job.training.group_by_length:
            return super()._get_train_sampler(train_dataset)
        rows = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return GroupedByLength(self.train_dataset["length"], rows, seed=self.args.seed, epoch=self._epoch)

    def _epoch(self) -> int:
        """The epoch that is running; its steps add up to it but for rounding."""
        return int((self.state.epoch or 0.0) + 1e-6)

    def _get_eval_sampler(self, eval_dataset: Any) -> torch.utils.data.Sampler:
        """In the order of the rows, which are sorted by length: what is kept of them stays aligned."""
        return torch.utils.data.SequentialSampler(eval_dataset)

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        training, model = self.job.training, model or self.model
        groups = self.job.method.parameter_groups(model, training.learning_rate, training.weight_decay)
        if self.optimizer is None and groups is not None:
            optimizer, settings = self.get_optimizer_cls_and_kwargs(self.args, model)
            self.optimizer = optimizer(groups, **settings)
        return super().create_optimizer(model)

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        # Rounded down: the first step of a warm-up has a rate of zero, and a training of one step would learn nothing.
        self.args.warmup_steps = int(self.job.training.warmup * num_training_steps)
        if self.job.training.scheduler == "wsd":
            falling = round(self.job.training.decay * num_training_steps)
            left = num_training_steps - self.args.get_warmup_steps(num_training_steps)
            # This fall ends in a lower loss than a linear one (Hägele et al. 2024, arXiv 2405.18392, section 4).
            self.args.lr_scheduler_kwargs = {"num_decay_steps": min(falling, left), "decay_type": "1-sqrt"}
        return super().create_scheduler(num_training_steps, optimizer)

    def evaluate(self, *args: Any, **settings: Any) -> dict[str, float]:
        metrics = super().evaluate(*args, **settings)
        if self.is_in_train and self.train_sample is not None:
            self._score_training_rows(self.train_sample)
        return metrics

    def validation_score(self) -> float:
        """The score of the weights as they are now, which leaves no trace in what training does."""
        with torch.random.fork_rng():
            found = self.evaluation_loop(self.get_eval_dataloader(), "validation", metric_key_prefix="eval")
        return found.metrics[f"eval_{self.job.selection_metric}"]

    def _score_training_rows(self, sample: datasets.Dataset) -> None:
        of_validation = self.compute_metrics
        self.compute_metrics = partial(validation_scores, self.job, sample)
        with torch.random.fork_rng():
            found = self.evaluation_loop(self.get_eval_dataloader(sample), "training rows", metric_key_prefix="train")
        self.compute_metrics = of_validation
        said = ("train_loss", f"train_{self.job.selection_metric}")
        self.log({name: found.metrics[name] for name in said if name in found.metrics})


def build_trainer(
    job: FineTuning, model: torch.nn.Module, work: Path, *, extra: Sequence[transformers.TrainerCallback]
) -> SummedLossTrainer:
    """The Trainer for ``job``: our share is configuration, the loss over the whole accumulated batch, callbacks."""
    training, patience = job.training, job.training.early_stopping
    callbacks = [
        StopOnNonFiniteLoss(),
        GuardLoss(training.max_loss_ratio),
        transformers.EarlyStoppingCallback(patience.patience, patience.min_delta),
        SealCheckpoints(),
        *([ReleaseMemory()] if job.compute.device == "cpu" else []),
        *extra,
    ]
    train = read_tokens(job.tokens, "train")
    validation = read_tokens(job.tokens, "validation").sort("length", reverse=True)
    trainer = SummedLossTrainer(
        job,
        model=model,
        args=training_arguments(job, work),
        train_dataset=_packed(job, train, model.config.model_type) if training.packing else train,
        eval_dataset=validation,
        train_sample=sample_of(train, min(training.train_sample, len(validation)), seed=training.seed),
        data_collator=job.task.collator(load_tokenizer(job.model), job.head, model.config),
        compute_loss_func=partial(summed_loss, job),
        preprocess_logits_for_metrics=lambda logits, labels: job.task.kept(_of_head(logits, job.head), labels),
        callbacks=callbacks,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer


def sample_of(features: datasets.Dataset, rows: int, *, seed: int) -> datasets.Dataset | None:
    """All features of ``rows`` rows drawn by ``seed``, the longest first; None for no rows."""
    found = features.unique("row")
    if not rows:
        return None
    chosen = set(random.Random(seed).sample(found, min(rows, len(found))))
    places = [place for place, row in enumerate(features["row"]) if row in chosen]
    return features.select(places).sort("length", reverse=True)


def validation_scores(
    job: FineTuning,
    features: datasets.Dataset,
    prediction: transformers.EvalPrediction,
    *,
    required: str | None = None,
) -> Mapping[str, float]:
    """The task's metrics of what was kept of the model's answers to ``features``."""
    kept, labels = prediction.predictions, prediction.label_ids
    return dict(job.task.validation_metrics(kept, labels, features, job.head, required=required))


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


def _packed(job: FineTuning, train: datasets.Dataset, family: str) -> datasets.Dataset:
    if not isinstance(job.task, LanguageModeling) or job.head.kind != "causal-lm":
        raise _unpackable(f"{job.task.name} cannot put several rows into one on this model")
    if family not in PACKABLE_FAMILIES:
        raise _unpackable(f"the attention of {family} would mix rows that share one")
    if job.method.virtual_tokens:
        raise _unpackable(f"{job.method.kind} puts virtual tokens before the first row alone")
    return job.task.packed(train, job.training.max_length)


def _unpackable(reason: str) -> ModelError:
    return ModelError(reason, where="training.packing", remedy="leave it out")
