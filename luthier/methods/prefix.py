"""Prefix tuning: trained keys and values that every layer of a frozen model attends to."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from luthier.methods.method import Mismatch, Range
from luthier.methods.shape import ModelShape, key_value_size
from luthier.methods.virtual_tokens import VirtualTokens
from luthier.tasks.head import Head

if TYPE_CHECKING:
    import peft
    import torch


class Prefix(VirtualTokens):
    """Prefix tuning (Li and Liang 2021, arXiv 2101.00190).

    Without the reparametrisation it is P-tuning v2 (Liu et al. 2022, arXiv 2110.07602), which trains at 5e-3 to 1e-2;
    with it the paper takes 5e-5, and small encoders bear more. What is stored is the prefix that came out of it.
    """

    kind: Literal["prefix"] = Field(description="Keys and values, trained, before those of every layer.")
    prefix_projection: bool = Field(
        default=False, description="Train the prefix through a two-layer network, which is dropped afterwards."
    )
    encoder_hidden_size: int | None = Field(
        default=None, ge=1, le=65536, description="Width of that network; the model's own by default."
    )

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-2, "epochs": 10.0}
    learning_rate_range: ClassVar[tuple[float, float]] = (5e-5, 5e-2)
    search_space: ClassVar[Mapping[str, Range | tuple[Any, ...]]] = {
        "training.learning_rate": Range(1e-3, 5e-2),
        "method.num_virtual_tokens": (5, 10, 20, 50),
    }
    supports_activation_checkpointing: ClassVar[bool] = False

    @property
    def stored_as_trained(self) -> bool:
        return not self.prefix_projection

    def contradictions(self) -> list[Mismatch]:
        """The width of a network that is not there."""
        if self.encoder_hidden_size is not None and not self.prefix_projection:
            rule = "is the width of the network of prefix_projection: true"
            return [Mismatch("encoder_hidden_size", self.encoder_hidden_size, rule)]
        return []

    def trainable_parameters(self, shape: ModelShape) -> int:
        """A key and a value for each virtual token and layer; with the projection, the network that makes them."""
        size, prefix = shape.key_value_size, 2 * shape.layers * shape.key_value_size
        if not self.prefix_projection:
            return self.num_virtual_tokens * prefix
        width = self.encoder_hidden_size or shape.hidden_size
        return self.num_virtual_tokens * size + (size + 1) * width + (width + 1) * prefix

    def peft_config(self, model: "torch.nn.Module", head: Head) -> "peft.PrefixTuningConfig":
        import peft

        config = model.config
        # With grouped queries PEFT divides this by itself.
        token_dim = config.hidden_size if hasattr(config, "num_key_value_heads") else key_value_size(config)
        return peft.PrefixTuningConfig(
            prefix_projection=self.prefix_projection,
            encoder_hidden_size=self.encoder_hidden_size or config.hidden_size,
            **{**self.sizes(model, head), "token_dim": token_dim},
        )
