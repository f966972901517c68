"""Bottleneck adapters: small non-linear layers behind the blocks of a frozen model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from luthier.methods.layers import ATTENTION_ENDS, FEED_FORWARD_ENDS, Layers, matching, pattern
from luthier.methods.method import Mismatch, Range
from luthier.methods.peft_method import PeftMethod
from luthier.methods.shape import ModelShape
from luthier.tasks.head import Head

if TYPE_CHECKING:
    import peft
    import torch


class Bottleneck(PeftMethod):
    """Bottleneck adapters (Houlsby et al. 2019, arXiv 1902.00751; Pfeiffer et al. 2021, arXiv 2005.00247).

    Houlsby et al. try 3e-5, 3e-4 and 3e-3; small encoders learn best at the highest. They do not merge: a non-linearity
    lies between the two projections.
    """

    kind: Literal["bottleneck"] = Field(description="Small non-linear layers behind the blocks of a frozen base.")
    placement: Literal["pfeiffer", "houlsby"] = Field(
        default="pfeiffer", description="pfeiffer: behind the feed-forward; houlsby: behind the attention too."
    )
    reduction_factor: int = Field(
        default=16, ge=1, le=4096, description="Features of the model over those within an adapter."
    )
    non_linearity: Literal["relu", "gelu", "silu", "tanh"] = Field(
        default="relu", description="The function between an adapter's two projections."
    )
    init_std: float = Field(
        default=0.01,
        gt=0,
        le=1,
        description="Standard deviation of the first projection at the start; the second starts at zero.",
    )

    plain_peft: ClassVar[bool] = False
    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-3}
    family_defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {"decoder": {"learning_rate": 3e-4}}
    deciding_settings: ClassVar[tuple[str, ...]] = ("non_linearity",)
    learning_rate_range: ClassVar[tuple[float, float]] = (3e-5, 1e-2)
    search_space: ClassVar[Mapping[str, Range | tuple[Any, ...]]] = {
        "training.learning_rate": Range(1e-4, 1e-2),
        "method.reduction_factor": (4, 8, 16, 32),
        "method.placement": ("pfeiffer", "houlsby"),
    }
    merges: ClassVar[bool] = False

    @property
    def pattern(self) -> str:
        """The layers that adapters follow."""
        ends = FEED_FORWARD_ENDS if self.placement == "pfeiffer" else ATTENTION_ENDS + FEED_FORWARD_ENDS
        return pattern(block_ends=ends)

    def mismatches(self, layers: Layers) -> list[Mismatch]:
        """Blocks whose last layer is called otherwise than in any family known here."""
        if not layers or matching(layers, self.pattern):
            return []
        return [Mismatch("kind", self.kind, "knows no layer that ends a block of this model; use lora")]

    def trainable_parameters(self, shape: ModelShape) -> int:
        """2 d m + m + d behind each layer of d features, with m within the adapter."""
        sides = [shape.linear_layers[name][1] for name in matching(shape.linear_layers, self.pattern)]
        return sum((2 * d + 1) * max(1, d // self.reduction_factor) + d for d in sides)

    def teach_peft(self) -> None:
        from luthier.methods.tuners.bottleneck import BottleneckConfig, BottleneckModel
        from luthier.methods.tuners.peft_types import register

        register(BottleneckConfig, BottleneckModel)

    def peft_config(self, model: "torch.nn.Module", head: Head) -> "peft.PeftConfig":
        from luthier.methods.tuners.bottleneck import BottleneckConfig
        from luthier.models.loading import head_names

        return BottleneckConfig(
            task_type=head.peft_task_type,
            target_modules=self.pattern,
            reduction_factor=self.reduction_factor,
            non_linearity=self.non_linearity,
            init_std=self.init_std,
            modules_to_save=head_names(model),
        )
