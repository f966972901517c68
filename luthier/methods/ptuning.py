"""P-tuning: trained embeddings before a text's own, made by a small network."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from luthier.methods.method import Range
from luthier.methods.shape import ModelShape
from luthier.methods.virtual_tokens import EmbeddedTokens
from luthier.tasks.head import Head

if TYPE_CHECKING:
    import peft
    import torch


class Ptuning(EmbeddedTokens):
    """P-tuning (Liu et al. 2021, arXiv 2103.10385): a network of three layers makes the virtual tokens.

    What is stored is the tokens that came out of it. The network bears smaller rates than the tokens themselves would.
    """

    kind: Literal["ptuning"] = Field(description="Embeddings, made by a trained network, before those of a text.")
    encoder_hidden_size: int | None = Field(
        default=None, ge=1, le=65536, description="Width of the network; the model's own by default."
    )

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-3, "epochs": 10.0}
    learning_rate_range: ClassVar[tuple[float, float]] = (1e-4, 3e-2)
    search_space: ClassVar[Mapping[str, Range | tuple[Any, ...]]] = {
        "training.learning_rate": Range(3e-4, 3e-2),
        "method.num_virtual_tokens": (5, 20, 50, 100),
    }

    @property
    def stored_as_trained(self) -> bool:
        return False

    def trainable_parameters(self, shape: ModelShape) -> int:
        """The tokens that enter the network, and its three layers."""
        size, width = shape.hidden_size, self.encoder_hidden_size or shape.hidden_size
        return self.num_virtual_tokens * size + (size + 1) * width + (width + 1) * width + (width + 1) * size

    def peft_config(self, model: "torch.nn.Module", head: Head) -> "peft.PromptEncoderConfig":
        import peft

        width = self.encoder_hidden_size or model.config.hidden_size
        return peft.PromptEncoderConfig(encoder_hidden_size=width, **self.sizes(model, head))
