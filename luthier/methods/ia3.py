"""IA3: learned vectors that scale what a frozen model computes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from luthier.methods.layers import FEED_FORWARD_ENDS, KEYS, VALUES, Layers, matching, pattern
from luthier.methods.method import Mismatch, Range
from luthier.methods.peft_method import PeftMethod
from luthier.methods.shape import ModelShape
from luthier.tasks.head import Head

if TYPE_CHECKING:
    import peft
    import torch

FEED_FORWARD = pattern(block_ends=FEED_FORWARD_ENDS)
TARGETS = pattern(names=(*KEYS, *VALUES), block_ends=FEED_FORWARD_ENDS)


class Ia3(PeftMethod):
    """(IA)3 (Liu et al. 2022, arXiv 2205.05638): keys, values and what enters a feed-forward's last layer are scaled.

    Layers that make queries, keys and values at once are scaled whole, as PEFT does. The paper trains at 3e-3; so few
    numbers bear a rate of 1e-2 on small encoders.
    """

    kind: Literal["ia3"] = Field(description="Vectors that scale keys, values and feed-forwards of a frozen base.")

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-2, "epochs": 5.0}
    family_defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "decoder": {"learning_rate": 3e-3},
        "encoder-decoder": {"learning_rate": 3e-3},
    }
    learning_rate_range: ClassVar[tuple[float, float]] = (5e-4, 5e-2)
    search_space: ClassVar[Mapping[str, Range | tuple[Any, ...]]] = {"training.learning_rate": Range(1e-3, 5e-2)}
    # PEFT's IA3 answers in float32 beside a 4-bit layer that computes in bfloat16, and attention refuses the mixture.
    quantizes: ClassVar[bool] = False

    def mismatches(self, layers: Layers) -> list[Mismatch]:
        """Layers that are called otherwise than in any family known here."""
        if not layers or matching(layers, TARGETS):
            return []
        return [Mismatch("kind", self.kind, "knows no key, value or feed-forward layer of this model; use lora")]

    def trainable_parameters(self, shape: ModelShape) -> int:
        """One number for each feature that leaves a key or value layer, or enters a feed-forward's last."""
        entered = set(matching(shape.linear_layers, FEED_FORWARD))
        sides = {name: shape.linear_layers[name] for name in matching(shape.linear_layers, TARGETS)}
        return sum(both[0] if name in entered else both[1] for name, both in sides.items())

    def peft_config(self, model: "torch.nn.Module", head: Head) -> "peft.IA3Config":
        import peft
        from transformers.pytorch_utils import Conv1D

        from luthier.models.loading import head_names

        return peft.IA3Config(
            task_type=head.peft_task_type,
            target_modules=TARGETS,
            feedforward_modules=FEED_FORWARD,
            fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
            modules_to_save=head_names(model),
        )

    def merge(self, model: "torch.nn.Module") -> "torch.nn.Module":
        _place_heads(model)
        return super().merge(model)


def _place_heads(model: "torch.nn.Module") -> None:
    """Puts trained heads in the place of those they wrap: PEFT's merge for IA3 fails on one of several layers."""
    from peft.utils import ModulesToSaveWrapper

    wrapped = [(name, module) for name, module in model.named_modules() if isinstance(module, ModulesToSaveWrapper)]
    for name, module in wrapped:
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, module.modules_to_save[module.active_adapter])
