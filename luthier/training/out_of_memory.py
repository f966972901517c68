"""Memory that runs out: recognised wherever it comes from, and said with what was expected."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from luthier.errors import OutOfMemoryError
from luthier.recipe.schema import TrainingSection
from luthier.training.estimate import Estimate, in_megabytes

VMSTAT = Path("/proc/vmstat")
ATTEMPT, DECISION = "attempt.json", "halve-batch"
SAID = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocator gave up: CUDA's, Python's or torch's on the CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in SAID)


@contextmanager
def memory_watched(training: TrainingSection, estimate: Estimate, work: Path) -> Iterator[None]:
    """Raises an OutOfMemoryError with the batch and the estimate for any error of an allocator.

    While it goes on, ``work`` has what is needed to tell that the kernel ended it.
    """
    attempt = {"kernel_kills": kernel_kills() or 0, "expected": estimate.memory_bytes}
    (work / ATTEMPT).write_text(json.dumps(attempt))
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        said = (str(error) or type(error).__name__).partition("\n")[0]
        raise _ran_out(training, estimate.memory_bytes, said) from error
    finally:
        (work / ATTEMPT).unlink(missing_ok=True)


def halved(training: TrainingSection) -> TrainingSection:
    """The same optimizer steps from at most half the rows at a time."""
    rows = training.batch_size * training.gradient_accumulation
    batch = next(size for size in range(max(1, training.batch_size // 2), 0, -1) if rows % size == 0)
    return training.model_copy(
        update={
            "batch_size": batch,
            "eval_batch_size": max(1, training.eval_batch_size // 2),
            "gradient_accumulation": rows // batch,
        }
    )


def require_not_ended_by_kernel(training: TrainingSection, work: Path) -> None:
    """Raises an OutOfMemoryError where the kernel ended an earlier attempt in ``work`` for want of memory.

    Such a process can say nothing; what it left, and the kernel's count of such ends, tell.
    """
    left = work / ATTEMPT
    if not left.is_file():
        return
    attempt, kills = json.loads(left.read_text()), kernel_kills()
    left.unlink()
    if kills is not None and kills > attempt["kernel_kills"]:
        raise _ran_out(training, attempt["expected"], "the kernel ended the process")


def is_to_be_halved(work: Path) -> bool:
    """Whether a training in ``work`` ran out of memory with its whole batch."""
    return (work / DECISION).is_file()


def remember_to_halve(work: Path) -> None:
    """A training in ``work`` goes on with half the batch, whenever it is begun again."""
    work.mkdir(parents=True, exist_ok=True)
    (work / DECISION).touch()


def kernel_kills() -> int | None:
    """How many processes the kernel has ended for want of memory since it started; None where it does not say."""
    if not VMSTAT.is_file():
        return None
    counts = dict(line.split() for line in VMSTAT.read_text().splitlines())
    return int(counts["oom_kill"]) if "oom_kill" in counts else None


def _ran_out(training: TrainingSection, expected: int, received: str) -> OutOfMemoryError:
    return OutOfMemoryError(
        f"the memory ran out with batches of {training.batch_size} rows; "
        f"{in_megabytes(expected)} were expected to be needed",
        where="training",
        received=received,
        remedy="lower training.batch_size and raise training.gradient_accumulation, set "
        "training.activation_checkpointing, lower training.max_length, or choose a PEFT method",
    )
