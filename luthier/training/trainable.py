"""The model that a training changes."""

import torch

from luthier.errors import ModelError
from luthier.methods.shape import longest_input
from luthier.models.configuration import read_config
from luthier.models.loading import linear_layers, load_model
from luthier.tasks.batches import longest_fitting
from luthier.training.job import FineTuning


def require_fit(job: FineTuning) -> None:
    """Raises a ModelError that names every setting of the method that cannot work on the model."""
    if job.training.activation_checkpointing and not job.method.supports_activation_checkpointing:
        raise ModelError(
            f"{job.method.kind} cannot recompute activations",
            where="training.activation_checkpointing",
            remedy="leave it out, or lower training.batch_size and raise training.gradient_accumulation",
        )
    _require_positions(job)
    mismatches = job.method.mismatches(linear_layers(job.model))
    if mismatches:
        lines = [f"method.{m.field} {m.received!r} {m.rule}" for m in mismatches]
        near = [m.nearest for m in mismatches if m.nearest]
        remedy = f"did you mean {', '.join(near)}?" if near else "change the recipe's method"
        raise ModelError("; ".join(lines), where="the method does not fit the model", remedy=remedy)


def _require_positions(job: FineTuning) -> None:
    """The longest text that is not cut, and the method's virtual tokens, must fit into the model's positions.

    Which texts come is not known: those of the test split are not looked at, and others are served.
    """
    positions, virtual = longest_input(read_config(job.model)), job.method.virtual_tokens
    if positions is not None and job.training.max_length > (most := longest_fitting(positions, virtual)):
        taken = f", of which the method takes {virtual}" if virtual else ""
        raise ModelError(
            f"texts of that many tokens do not fit into the model's {positions} positions{taken}",
            where="training.max_length",
            received=job.training.max_length,
            remedy=f"set it to {most} at most" if most else "lower method.num_virtual_tokens",
        )


def untrained_model(job: FineTuning) -> torch.nn.Module:
    """The base with its head. Nothing that chance decides may come between this and ``trainable_model``."""
    compute = job.compute
    model = load_model(job.model, job.head, dtype=compute.dtype, attention=compute.attention, seed=job.training.seed)
    if job.training.dropout == "adapter":
        silence_dropout(model)
    return model


def trainable_model(job: FineTuning, untrained: torch.nn.Module | None = None) -> torch.nn.Module:
    """The base with its head and the method attached; ``untrained`` is used up by it."""
    model = job.method.attach(untrained_model(job) if untrained is None else untrained, job.head)
    if job.continued is not None:
        job.method.continue_from(model, job.continued)
    return model


def silence_dropout(model: torch.nn.Module) -> None:
    """Turns off the dropout of a model that nothing is attached to yet: an adapter's own stays.

    Some families have it as modules, some as numbers that their forward passes on.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in [name for name, value in vars(module).items() if "dropout" in name and isinstance(value, float)]:
            setattr(module, name, 0.0)
