"""What every fine-tuning method answers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from luthier.errors import ModelError
from luthier.methods.shape import ModelShape
from luthier.tasks.head import Head

if TYPE_CHECKING:
    import torch

    from luthier.methods.qlora import Quantization


# A trained weight in float32, its gradient and AdamW's two moments.
BYTES_TRAINED = 16


@dataclass(frozen=True)
class Mismatch:
    """A setting that cannot work on a given model."""

    field: str
    received: object
    rule: str
    nearest: str | None = None


@dataclass(frozen=True)
class Range:
    """Numbers that a search may try, both ends among them."""

    low: float
    high: float
    log: bool = True


class BaseMethod(BaseModel, ABC):
    """A way to fine-tune: its settings, its good defaults, and what it does to a model.

    ``training_defaults`` are values of the recipe's section ``training``; ``family_defaults`` differ from them for
    one architecture (encoder, decoder, encoder-decoder). ``learning_rate_range`` is what its literature uses.
    ``search_space`` goes by dotted field: what a search may try.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    kind: str = Field(description="The kind of method.")

    training_defaults: ClassVar[Mapping[str, Any]] = {}
    family_defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    learning_rate_range: ClassVar[tuple[float, float]]
    search_space: ClassVar[Mapping[str, Range | tuple[Any, ...]]] = {}
    trains_base: ClassVar[bool] = False
    # Whether the tuned model can be one plain model again.
    merges: ClassVar[bool] = True
    # Whether PEFT alone, untaught, loads what ``save`` writes.
    plain_peft: ClassVar[bool] = False
    # Whether the base may be stored in 4 bits.
    quantizes: ClassVar[bool] = True
    supports_activation_checkpointing: ClassVar[bool] = True

    @property
    def virtual_tokens(self) -> int:
        """How many vectors the model reads before a text's own tokens; they take positions of its longest input."""
        return 0

    @property
    def base_quantization(self) -> "Quantization | None":
        """How the base is quantized before training, if it is."""
        return None

    def contradictions(self) -> list[Mismatch]:
        """Settings that others leave without an effect, or that lack another."""
        return []

    def mismatches(self, layers: Mapping[str, tuple[int, int]]) -> list[Mismatch]:
        """Settings that cannot work on a model with these linear layers (name -> in and out features)."""
        return []

    @abstractmethod
    def trainable_parameters(self, shape: ModelShape) -> int:
        """How many parameters ``attach`` makes trainable, the task's head left out."""

    def training_memory(self, shape: ModelShape, *, frozen_bytes: int = 4) -> int:
        """Bytes of the base, and of what is trained with its gradients and AdamW's moments.

        The task's head and activations come on top. ``frozen_bytes`` are those of a weight of the base that is neither
        trained nor quantized: 2 where it is held in bfloat16.
        """
        return frozen_bytes * shape.parameters + BYTES_TRAINED * self.trainable_parameters(shape)

    def parameter_groups(
        self, model: "torch.nn.Module", learning_rate: float, weight_decay: float
    ) -> list[dict[str, Any]] | None:
        """The optimizer's groups of parameters where the method has its own; None for one rate for all."""
        return None

    @abstractmethod
    def attach(self, model: "torch.nn.Module", head: Head) -> "torch.nn.Module":
        """The model, ready to train: what the method trains requires gradients, and nothing else does."""

    def continue_from(self, model: "torch.nn.Module", tuned: Path) -> None:
        """Puts what another training of this method wrote in place of what ``attach`` made.

        A head for other labels stays as it was made.

        Raises:
            ModelError: it is of another method, or nothing that training can go on from.
        """
        raise ModelError(
            f"{self.kind} has no adapter to go on from",
            remedy="set base_model.continued to merged, which starts from all weights of the champion",
        )

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
        """The same function as one plain model; its linear layers are not quantized.

        Raises:
            ModelError: the method does not merge.
        """
