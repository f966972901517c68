"""Full fine-tuning: every weight is trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from luthier.methods.method import BYTES_TRAINED, BaseMethod, Range
from luthier.methods.shape import ModelShape
from luthier.tasks.head import Head

if TYPE_CHECKING:
    import torch


class Full(BaseMethod):
    """Full fine-tuning, with the learning rate BERT's authors advise (Devlin et al. 2019, appendix A.3).

    Decoders are tuned at 2e-5 since Alpaca (Taori et al. 2023); T5 takes 1e-4 with AdamW.
    """

    kind: Literal["full"] = Field(description="Every weight is trained.")

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 5e-5, "dropout": "model", "weight_decay": 0.01}
    family_defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "decoder": {"learning_rate": 2e-5},
        "encoder-decoder": {"learning_rate": 1e-4},
    }
    learning_rate_range: ClassVar[tuple[float, float]] = (1e-6, 5e-4)
    search_space: ClassVar[Mapping[str, Range | tuple[Any, ...]]] = {
        "training.learning_rate": Range(1e-5, 2e-4),
        "training.weight_decay": (0.0, 0.01, 0.1),
        "training.batch_size": (16, 32, 64),
    }
    trains_base: ClassVar[bool] = True
    quantizes: ClassVar[bool] = False

    def trainable_parameters(self, shape: ModelShape) -> int:
        return shape.parameters

    def training_memory(self, shape: ModelShape, *, frozen_bytes: int = 4) -> int:
        return BYTES_TRAINED * shape.parameters

    def attach(self, model: "torch.nn.Module", head: Head) -> "torch.nn.Module":
        return model

    def save(self, model: "torch.nn.Module", folder: Path) -> None:
        model.save_pretrained(folder)

    def load(
        self,
        model: Path,
        tuned: Path,
        head: Head,
        *,
        dtype: "torch.dtype",
        attention: str,
        dequantized: bool = False,
    ) -> "torch.nn.Module":
        from luthier.models.loading import load_model

        return load_model(tuned, head, dtype=dtype, attention=attention, tokenizer=model)

    def merge(self, model: "torch.nn.Module") -> "torch.nn.Module":
        return model
