"""What every fine-tuning method answers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from luthier.tasks.head import Head

if TYPE_CHECKING:
    import torch

    from luthier.methods.qlora import Quantization


@dataclass(frozen=True)
class Mismatch:
    """A setting that cannot work on a given model."""

    field: str
    received: object
    rule: str
    nearest: str | None = None


class BaseMethod(BaseModel, ABC):
    """A way to fine-tune: its settings, its good defaults, and what it does to a model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    training_defaults: ClassVar[Mapping[str, Any]] = {}
    trains_base: ClassVar[bool] = False
    # Whether the tuned model can be one plain model again.
    merges: ClassVar[bool] = True

    @property
    def base_quantization(self) -> "Quantization | None":
        """How the base is quantized before training, if it is."""
        return None

    def mismatches(self, layers: Mapping[str, tuple[int, int]]) -> list[Mismatch]:
        """Settings that cannot work on a model with these linear layers (name -> in and out features)."""
        return []

    @abstractmethod
    def attach(self, model: "torch.nn.Module", head: Head) -> "torch.nn.Module":
        """The model, ready to train: what the method trains requires gradients, and nothing else does."""

    @abstractmethod
    def save(self, model: "torch.nn.Module", folder: Path) -> None:
        """Writes what was trained, as safetensors."""

    @abstractmethod
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
        """The tuned model, from the model folder the training started from and the folder of ``save``.

        ``dequantized`` replaces 4-bit layers by plain ones with the same weights, as merging needs.
        """

    @abstractmethod
    def merge(self, model: "torch.nn.Module") -> "torch.nn.Module":
        """The same function as one plain model; its linear layers are not quantized."""
