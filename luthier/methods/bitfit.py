"""BitFit: the biases of a frozen model are trained, and nothing else."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from luthier.errors import ModelError
from luthier.methods.method import Range
from luthier.methods.peft_method import PeftMethod
from luthier.methods.shape import ModelShape, shape_of
from luthier.tasks.head import Head

if TYPE_CHECKING:
    import peft
    import torch


class Bitfit(PeftMethod):
    """BitFit (Ben Zaken et al. 2022, arXiv 2106.10199).

    The paper searches 1e-4 to 1e-3 and trains up to 16 epochs; in fewer, small encoders need a higher rate.
    """

    kind: Literal["bitfit"] = Field(description="Every bias of the base, those of its norms too, is trained.")

    plain_peft: ClassVar[bool] = False
    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-3, "epochs": 5.0}
    learning_rate_range: ClassVar[tuple[float, float]] = (1e-4, 1e-2)
    search_space: ClassVar[Mapping[str, Range | tuple[Any, ...]]] = {"training.learning_rate": Range(1e-4, 1e-2)}

    def trainable_parameters(self, shape: ModelShape) -> int:
        return sum(shape.biases.values())

    def teach_peft(self) -> None:
        from luthier.methods.tuners.bitfit import BitFitConfig, BitFitModel
        from luthier.methods.tuners.peft_types import register

        register(BitFitConfig, BitFitModel)

    def peft_config(self, model: "torch.nn.Module", head: Head) -> "peft.PeftConfig":
        from luthier.methods.tuners.bitfit import BitFitConfig
        from luthier.models.loading import head_names

        heads = head_names(model)
        if not shape_of(model, without=heads).biases:
            raise ModelError("bitfit: the model has no bias to train", remedy="use lora or ia3")
        return BitFitConfig(task_type=head.peft_task_type, modules_to_save=heads)
