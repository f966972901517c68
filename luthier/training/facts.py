"""What one training did."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TrainingFacts:
    """Speed in rows per second of the training loop, memory in bytes, time in seconds.

    ``training_seconds`` are those of the steps alone, ``seconds`` also count validations and checkpoints; both are of
    the part since the last resume. ``estimate`` is what was expected of memory, time and disk beforehand.
    """

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
    seconds: float
    optimizer: str
    compute: dict[str, Any]
    batch_size: int
    gradient_accumulation: int
    out_of_memory_retries: int
    loss_spikes: int
    diagnosis: dict[str, Any]
    estimate: dict[str, Any]
