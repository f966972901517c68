"""A recipe's training section, as transformers' Trainer wants it."""

from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from luthier.training.job import FineTuning

OPTIMIZERS = {
    "adamw": {"cuda": "adamw_torch_fused", "cpu": "adamw_torch_fused", "mps": "adamw_torch"},
    "paged_adamw": {"cuda": "paged_adamw_32bit", "cpu": "adamw_torch_fused", "mps": "adamw_torch"},
    "paged_adamw_8bit": {"cuda": "paged_adamw_8bit", "cpu": "adamw_torch_fused", "mps": "adamw_torch"},
}
SCHEDULERS = {
    "linear": "linear",
    "cosine": "cosine",
    "constant": "constant_with_warmup",
    "inverse_sqrt": "inverse_sqrt",
    "wsd": "warmup_stable_decay",
}
# The best, the newest, and the one before it until the newest is sealed.
CHECKPOINTS = 3


def training_arguments(job: FineTuning, work: Path) -> TrainingArguments:
    """The Trainer's arguments for ``job``, with checkpoints in ``work``."""
    training, compute = job.training, job.compute
    return TrainingArguments(
        output_dir=str(work),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.eval_batch_size,
        gradient_accumulation_steps=training.gradient_accumulation,
        learning_rate=training.learning_rate,
        lr_scheduler_type=SCHEDULERS[training.scheduler],
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        neftune_noise_alpha=training.neftune_alpha or None,
        optim=OPTIMIZERS[training.optimizer][compute.device],
        seed=training.seed,
        data_seed=training.seed,
        bf16=compute.autocast,
        use_cpu=compute.device == "cpu",
        activation_checkpointing=training.activation_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if training.activation_checkpointing else None,
        **_cadence(training.evaluate_every),
        save_total_limit=CHECKPOINTS,
        load_best_model_at_end=True,
        metric_for_best_model=job.selection_metric,
        greater_is_better=job.selection.higher_is_better,
        restore_callback_states_from_checkpoint=True,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=compute.device == "cuda",
        label_names=["labels"],
    )


def _cadence(every: int | str) -> dict[str, Any]:
    """A checkpoint after each validation: the best one must be there to be restored."""
    if every == "epoch":
        return {"eval_strategy": "epoch", "save_strategy": "epoch"}
    return {"eval_strategy": "steps", "save_strategy": "steps", "eval_steps": every, "save_steps": every}
