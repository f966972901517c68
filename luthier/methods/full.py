"""Full fine-tuning: every weight is trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from luthier.methods.method import BaseMethod
from luthier.tasks.head import Head

if TYPE_CHECKING:
    import torch


class Full(BaseMethod):
    """Full fine-tuning, with the learning rate BERT's authors advise (Devlin et al. 2019, appendix A.3)."""

    kind: Literal["full"] = Field(description="Every weight is trained.")

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 5e-5, "dropout": "model", "weight_decay": 0.01}
    trains_base: ClassVar[bool] = True

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

        return load_model(tuned, head, dtype=dtype, attention=attention)

    def merge(self, model: "torch.nn.Module") -> "torch.nn.Module":
        return model
