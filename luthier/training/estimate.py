"""What a training will need of memory, time and disk, said before it begins and held against what it used.

A forward pass over the longest training row says what a row keeps for the backward pass, and a batch of middling rows
how long one takes; the rest is counted. Nothing that training draws by chance is changed by it.
"""

import logging
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luthier.errors import ResourceError
from luthier.tasks.batches import padded_length
from luthier.training.arguments import CHECKPOINTS
from luthier.training.job import FineTuning
from luthier.training.memory import available_memory, release_memory, resident_memory
from luthier.training.probe import KeptMemory, Speed, kept_memory, speed
from luthier.training.trainer import SummedLossTrainer

log = logging.getLogger(__name__)

FLOAT = 4
# Bytes that the optimizer keeps for each trained parameter; on a CPU it is always AdamW.
STATES = {"adamw": 8, "paged_adamw": 8, "paged_adamw_8bit": 2}
# A batch takes more than autograd keeps of it: what is made and freed on the way, and gaps in freed memory.
OVERHEAD = {"cuda": 1.2, "mps": 1.5, "cpu": 1.7}
# On a CPU oneDNN prepares its kernels for each length of a batch.
KERNELS = 5_000_000
# A layer whose activations are recomputed is passed once more.
RECOMPUTED = 4 / 3
# An estimate may be wrong by this share before it stops a training.
MARGIN = 0.25


@dataclass(frozen=True)
class Needs:
    """Bytes of the process, or of the accelerator, at its peak; bytes on disk. As in ``Estimate``."""

    memory_bytes: int
    disk_bytes: int
    present: int
    parts: Mapping[str, int]


@dataclass(frozen=True)
class Estimate:
    """Bytes of the process, or of the accelerator, at its peak; seconds if every epoch is run; bytes on disk.

    ``parts`` add up to the memory; ``present`` is what was in use already.
    """

    memory_bytes: int
    seconds: float
    disk_bytes: int
    present: int
    parts: Mapping[str, int]


def estimate_training(trainer: SummedLossTrainer) -> Estimate:
    """Memory, time and disk of a training that is about to begin.

    Raises:
        ResourceError: there is not enough memory or disk.
    """
    needs = estimate_needs(trainer)
    return Estimate(needs.memory_bytes, _seconds(trainer, speed(trainer)), needs.disk_bytes, needs.present, needs.parts)


def estimate_needs(trainer: SummedLossTrainer) -> Needs:
    """What ``estimate_training`` says, without the time: two forward passes and no more.

    Raises:
        ResourceError: there is not enough memory or disk.
    """
    job, model = trainer.job, trainer.model
    trained = FLOAT * sum(p.numel() for p in model.parameters() if p.requires_grad)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    kept = kept_memory(trainer)
    release_memory(job.compute.device)
    present = resident_memory(job.compute.device)
    activations = max(_training_activations(trainer, kept), _evaluation_activations(job, kept))
    parts = {
        "process": present - weights,
        "weights": weights,
        "gradients": trained,
        "optimizer": trained // FLOAT * _state_bytes(job),
        "activations": round(activations * OVERHEAD[job.compute.device]),
        "kernels": KERNELS * _lengths(trainer) if job.compute.device == "cpu" else 0,
    }
    memory = sum(parts.values())
    # One more checkpoint is written before the oldest goes; then the output.
    disk = (CHECKPOINTS + 1) * (trained + parts["optimizer"]) + trained
    require_room(memory - present, disk, job.compute.device, Path(trainer.args.output_dir))
    return Needs(memory, disk, present, parts)


def require_weights_fit(job: FineTuning) -> None:
    """Raises a ResourceError where not even the stored weights fit into memory."""
    stored = sum(path.stat().st_size for path in job.model.glob("*.safetensors"))
    _require("memory", stored, available_memory(job.compute.device), "choose a smaller base model, or method qlora")


def require_room(memory: int, disk: int, device: str, work: Path) -> None:
    """Raises a ResourceError where memory or disk will not do; warns where they may not."""
    smaller = (
        "lower training.batch_size and raise training.gradient_accumulation, set training.activation_checkpointing, "
        "lower training.max_length, or choose a PEFT method"
    )
    _require("memory", memory, available_memory(device), smaller)
    _require("disk", disk, shutil.disk_usage(work).free, "free some, or choose a PEFT method")


def in_megabytes(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / 1e6:,.0f} MB"


def _require(what: str, needed: int, free: int, remedy: str) -> None:
    said = f"the training needs about {in_megabytes(needed)} of {what}, and {in_megabytes(free)} are free"
    if needed > free * (1 + MARGIN):
        raise ResourceError(said, where="estimate before training", remedy=remedy)
    if needed > free:
        log.warning("%s: it may fail", said)


def _training_activations(trainer: SummedLossTrainer, kept: KeptMemory) -> int:
    """What a batch of the longest rows keeps; where activations are recomputed, each layer's input and one layer."""
    job, config = trainer.job, trainer.model.config
    rows = job.training.batch_size
    if not job.training.activation_checkpointing:
        return kept.of(rows)
    layers = config.num_hidden_layers * (2 if config.is_encoder_decoder else 1)
    inputs = rows * max(trainer.train_dataset["length"]) * config.hidden_size * layers * FLOAT
    return inputs + kept.of(rows) // layers


def _evaluation_activations(job: FineTuning, kept: KeptMemory) -> int:
    """A few of the widest tensors of a batch of validation: nothing is kept for a backward pass."""
    return 3 * job.training.eval_batch_size * kept.widest


def _lengths(trainer: SummedLossTrainer) -> int:
    """How many lengths the batches of training and of validation have."""
    datasets = (trainer.train_dataset, trainer.eval_dataset)
    return sum(len(set(map(padded_length, dataset["length"]))) for dataset in datasets)


def _state_bytes(job: FineTuning) -> int:
    return STATES[job.training.optimizer if job.compute.device == "cuda" else "adamw"]


def _seconds(trainer: SummedLossTrainer, pace: Speed) -> float:
    """Of all epochs, their validations and the last scoring."""
    training = trainer.job.training
    lengths = trainer.train_dataset["length"]
    batches = padded_tokens(sorted(lengths) if training.group_by_length else lengths, training.batch_size)
    steps = math.ceil(len(lengths) / training.batch_size / training.gradient_accumulation) * training.epochs
    every = training.evaluate_every
    evaluations = math.ceil(training.epochs if every == "epoch" else steps / every)
    validation = padded_tokens(trainer.eval_dataset["length"], training.eval_batch_size)
    sample = padded_tokens(trainer.train_sample["length"], training.eval_batch_size) if trainer.train_sample else 0
    scored = evaluations * (validation + sample) + validation
    step = pace.training * (RECOMPUTED if training.activation_checkpointing else 1)
    return training.epochs * batches * step + scored * pace.evaluation


def padded_tokens(lengths: Sequence[int], rows: int) -> int:
    """Tokens of all batches of ``rows`` rows in their order, each padded as it will be."""
    batches = (lengths[start : start + rows] for start in range(0, len(lengths), rows))
    return sum(len(batch) * padded_length(max(batch)) for batch in batches)
