"""What rows cost the model at hand, measured in a few passes that leave no trace."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from luthier.training.trainer import SummedLossTrainer


@dataclass(frozen=True)
class KeptMemory:
    """Bytes that a forward pass keeps for the backward one: for a batch of one row, and for one of two.

    ``widest`` are those of the largest single tensor of a row.
    """

    of_one: int
    of_two: int
    widest: int

    def of(self, rows: int) -> int:
        """For a batch of ``rows`` rows."""
        return self.of_one + (rows - 1) * (self.of_two - self.of_one)


@dataclass(frozen=True)
class Speed:
    """Seconds for each token of a batch, padding counted: of a training step, and of a forward pass alone."""

    training: float
    evaluation: float


def kept_memory(trainer: SummedLossTrainer) -> KeptMemory:
    """What the longest training row keeps."""
    lengths = trainer.train_dataset["length"]
    longest = max(range(len(lengths)), key=lengths.__getitem__)
    one, two = (_kept(trainer, [longest] * rows) for rows in (1, 2))
    return KeptMemory(one.total, two.total, two.widest // 2)


def speed(trainer: SummedLossTrainer) -> Speed:
    """How long a batch of rows of middling length takes."""
    lengths, rows = trainer.train_dataset["length"], trainer.args.train_batch_size
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    first = max(0, (len(order) - rows) // 2)
    batch = order[first : first + rows]
    tokens = len(batch) * max(lengths[place] for place in batch)
    trained = [parameter for parameter in trainer.model.parameters() if parameter.requires_grad]

    def step() -> None:
        torch.autograd.grad(_loss(trainer, batch), trained, allow_unused=True)

    def forward() -> None:
        with torch.no_grad():
            _loss(trainer, batch)

    return Speed(_seconds(step) / tokens, _seconds(forward) / tokens)


class _Kept:
    """Counts the tensors that autograd keeps, each storage once, the model's own left out."""

    def __init__(self, model: torch.nn.Module) -> None:
        own = [*model.parameters(), *model.buffers()]
        self.known = {tensor.untyped_storage().data_ptr() for tensor in own}
        self.total = self.widest = 0

    def keep(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.known:
            self.known.add(storage.data_ptr())
            self.total += storage.nbytes()
            self.widest = max(self.widest, storage.nbytes())
        return tensor


def _kept(trainer: SummedLossTrainer, places: Sequence[int]) -> _Kept:
    kept = _Kept(trainer.model)
    with torch.autograd.graph.saved_tensors_hooks(kept.keep, lambda tensor: tensor):
        _loss(trainer, places)
    return kept


def _loss(trainer: SummedLossTrainer, places: Sequence[int]) -> torch.Tensor:
    """The loss of one batch of training rows, as in training."""
    compute = trainer.job.compute
    batch = trainer.batch(places)
    trainer.model.train()
    with torch.random.fork_rng(), torch.autocast(compute.device, torch.bfloat16, enabled=compute.autocast):
        return trainer.compute_loss(trainer.model, batch)


def _seconds(work: Callable[[], Any]) -> float:
    """The faster of two runs."""
    taken = []
    for _ in range(2):
        began = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return min(taken)
