"""QLoRA: LoRA over a base stored in 4 bits."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from luthier.methods.lora import LoraSettings
from luthier.methods.shape import ModelShape

# Weights that share a constant, and constants that share one of their own (bitsandbytes' defaults, as in the paper).
BLOCK, CONSTANTS = 64, 256


class Quantization(BaseModel):
    """How the base is stored (Dettmers et al. 2023, arXiv 2305.14314, section 3)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    type: Literal["nf4", "fp4"] = Field(default="nf4", description="The 4-bit data type.")
    double_quantization: bool = Field(default=True, description="Quantize the quantization constants too.")
    compute_dtype: Literal["bfloat16", "float32"] = Field(default="bfloat16", description="Precision of the products.")

    @property
    def bytes_per_weight(self) -> float:
        """Half a byte, and a share of the block's constant: four bytes, or one that shares four with its like."""
        return 0.5 + (1 + 4 / CONSTANTS if self.double_quantization else 4) / BLOCK


class Qlora(LoraSettings):
    """LoRA over a 4-bit base (Dettmers et al. 2023, arXiv 2305.14314).

    The default learning rate lies between the paper's 2e-4, for models of billions of weights, and that of LoRA here.
    Optimizer states are paged, as in the paper, where the device can.
    """

    kind: Literal["qlora"] = Field(description="Low-rank updates beside a base stored in 4 bits.")
    quantization: Quantization = Field(default=Quantization(), description="How the base is stored.")

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 5e-4, "optimizer": "paged_adamw_8bit"}

    @property
    def base_quantization(self) -> Quantization:
        return self.quantization

    def training_memory(self, shape: ModelShape, *, frozen_bytes: int = 4) -> int:
        """Linear layers are stored in 4 bits, all else of the base is not."""
        quantized = sum(inner * outer for inner, outer in shape.linear_layers.values())
        saved = quantized * (frozen_bytes - self.quantization.bytes_per_weight)
        return super().training_memory(shape, frozen_bytes=frozen_bytes) - round(saved)
