"""Memory that runs out: recognised wherever it comes from, and said with what was expected."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from luthier.errors import OutOfMemoryError
from luthier.recipe.schema import TrainingSection
from luthier.training.estimate import Estimate, in_megabytes

log = logging.getLogger(__name__)

VMSTAT = Path("/proc/vmstat")
ATTEMPT, DECISION = "attempt.json", "smaller-batch.json"
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


def ran_out_before(training: TrainingSection, work: Path) -> bool:
    """Whether an earlier attempt at the training in ``work`` ran out of memory, by what it left there.

    On Linux the kernel ends a process for want of memory, which then can say nothing: what it left, and the kernel's
    count of such ends, tell.
    """
    if (work / DECISION).is_file():
        return True
    left = work / ATTEMPT
    if not left.is_file():
        return False
    attempt = json.loads(left.read_text())
    left.unlink()
    ended = kernel_kills()
    if ended is None or ended <= attempt["kernel_kills"]:
        return False
    remember(work)
    error = _ran_out(training, attempt["expected"], "the kernel ended the process")
    if training.on_out_of_memory == "fail" or training.batch_size == 1:
        (work / DECISION).unlink()
        raise error
    log.warning("%s", error)
    return True


def remember(work: Path) -> None:
    """That a training in ``work`` goes on with half the batch, whenever it is begun again."""
    work.mkdir(parents=True, exist_ok=True)
    (work / DECISION).write_text(json.dumps({"batch": "halved"}))


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
