"""Memory that runs out: recognised wherever it comes from, and said with what was expected."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from luthier.errors import OutOfMemoryError
from luthier.recipe.schema import TrainingSection
from luthier.training.estimate import Estimate, in_megabytes

SAID = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocator gave up: CUDA's, Python's or torch's on the CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in SAID)


@contextmanager
def memory_watched(training: TrainingSection, estimate: Estimate) -> Iterator[None]:
    """Raises an OutOfMemoryError with the batch and the estimate for any error of an allocator."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            f"the memory ran out with batches of {training.batch_size} rows; "
            f"{in_megabytes(estimate.memory_bytes)} were expected to be needed",
            where="training",
            received=(str(error) or type(error).__name__).partition("\n")[0],
            remedy="lower training.batch_size and raise training.gradient_accumulation, set "
            "training.activation_checkpointing, lower training.max_length, or choose a PEFT method",
        ) from error


def halved(training: TrainingSection) -> TrainingSection:
    """The same optimizer steps from half the rows at a time."""
    return training.model_copy(
        update={
            "batch_size": training.batch_size // 2,
            "eval_batch_size": max(1, training.eval_batch_size // 2),
            "gradient_accumulation": training.gradient_accumulation * 2,
        }
    )
