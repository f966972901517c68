"""What is worth saying about a method before anything trains, each with a remedy."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from luthier.methods.lora import Lora, LoraSettings
from luthier.methods.method import BaseMethod
from luthier.methods.shape import Architecture, ModelShape

if TYPE_CHECKING:
    from luthier.recipe.schema import TrainingSection

# Of the memory there is: more for weights and optimizer leaves too little for activations.
LARGE_SHARE = 0.5
# Each direction of an update is learned from at least so many rows.
ROWS_PER_RANK = 10
LOW_RANK = 8


@dataclass(frozen=True)
class Advice:
    """A finding; an error cannot work, a warning is unwise."""

    name: str
    severity: Literal["error", "warning"]
    what: str
    remedy: str


def advice(
    shape: ModelShape,
    method: BaseMethod,
    training: "TrainingSection",
    *,
    rows: int,
    tokens: int,
    fast_bfloat16: bool,
    device: str,
    memory_available: int,
) -> list[Advice]:
    """Errors first. ``rows`` and ``tokens`` are those of the training split, memory is in bytes."""
    found = [
        *_of_layers(shape, method),
        *_of_rank(method, rows),
        *_of_memory(shape, method, memory_available),
        *_of_parameters(shape, method, int(tokens * training.epochs)),
        *_of_rate(method, training, shape.architecture),
        *_of_precision(method, training, device, fast_bfloat16),
    ]
    return sorted(found, key=lambda item: item.severity)


def _of_layers(shape: ModelShape, method: BaseMethod) -> Iterator[Advice]:
    for found in method.mismatches(shape.linear_layers):
        remedy = f"did you mean {found.nearest}?" if found.nearest else f"change method.{found.field}"
        yield Advice(found.field, "error", f"method.{found.field} {found.received!r} {found.rule}", remedy)


def _of_rank(method: BaseMethod, rows: int) -> Iterator[Advice]:
    if not isinstance(method, LoraSettings):
        return
    rank, most = max([method.r, *method.rank_pattern.values()]), max(LOW_RANK, rows // ROWS_PER_RANK)
    if rank > most:
        what = f"rank {rank} is high for {rows:,} training rows"
        field = "method.r" if rank == method.r else "method.rank_pattern"
        yield Advice("rank_for_rows", "warning", what, f"lower {field} to {most}")


def _of_memory(shape: ModelShape, method: BaseMethod, available: int) -> Iterator[Advice]:
    needed = method.training_memory(shape)
    if method.trains_base and needed > LARGE_SHARE * available:
        what = f"weights, gradients and AdamW's moments take {_gib(needed)} of {_gib(available)}"
        remedy = f"method.kind: lora, which takes {_gib(Lora().training_memory(shape))}"
        yield Advice("full_memory", "error" if needed > available else "warning", what, remedy)


def _of_parameters(shape: ModelShape, method: BaseMethod, tokens: int) -> Iterator[Advice]:
    parameters = method.trainable_parameters(shape)
    if parameters > tokens:
        what = f"{parameters:,} parameters are trained on {tokens:,} tokens over all epochs"
        remedy = "more rows" if not method.trains_base else "more rows, or method.kind: lora"
        yield Advice("parameters_for_tokens", "warning", what, f"{remedy}; watch the validation loss")


def _of_rate(method: BaseMethod, training: "TrainingSection", architecture: Architecture) -> Iterator[Advice]:
    low, high = method.learning_rate_range
    if not low <= training.learning_rate <= high:
        what = f"learning rate {training.learning_rate:g} is outside this method's usual {low:g} to {high:g}"
        default = {**method.training_defaults, **method.family_defaults.get(architecture, {})}["learning_rate"]
        yield Advice("learning_rate", "warning", what, f"leave training.learning_rate out: {default:g} is used")


def _of_precision(
    method: BaseMethod, training: "TrainingSection", device: str, fast_bfloat16: bool
) -> Iterator[Advice]:
    quantization = method.base_quantization
    if fast_bfloat16 or "bfloat16" not in (training.precision, quantization and quantization.compute_dtype):
        return
    what = f"bfloat16 is asked for, and this {device} multiplies it no faster than float32"
    severity: Literal["error", "warning"] = "error" if device == "cuda" else "warning"
    remedy = "method.quantization.compute_dtype: float32" if quantization else "training.precision: auto"
    yield Advice("precision", severity, what, remedy)


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
