"""LoRA: low-rank updates beside frozen linear layers."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from luthier.methods.layers import QUERIES, VALUES, Layers, closest, last_parts, matching, shortest, unmatched, within
from luthier.methods.method import Mismatch, Range
from luthier.methods.peft_method import PeftMethod, require_modules
from luthier.methods.shape import ModelShape, shape_of
from luthier.tasks.head import Head

if TYPE_CHECKING:
    import peft
    import torch

AUTO = (*QUERIES, *VALUES)

Name = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Name], Field(min_length=1)]
Positive = Annotated[int, Field(ge=1, le=65536)]


def _compiles(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"must be a regular expression: {error}") from None
    return text


Patterns = dict[Annotated[str, Field(min_length=1), AfterValidator(_compiles)], Positive]


class LoraSettings(PeftMethod):
    """The settings that LoRA and QLoRA share."""

    r: Positive = Field(default=8, description="Rank of the update.")
    alpha: Positive = Field(default=16, description="The update is scaled by alpha / r.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout on the adapter's input.")
    target_modules: Literal["auto", "all-linear"] | Names = Field(
        default="auto",
        description="Which linear layers get an update: auto (the attention's query and value), all-linear, or names.",
    )
    rank_pattern: Patterns = Field(
        default={}, description="Another rank for layers whose name ends in this regular expression."
    )
    alpha_pattern: Patterns = Field(
        default={}, description="Another alpha for layers whose name ends in this regular expression."
    )
    use_rslora: bool = Field(
        default=False,
        description="Scale by alpha / sqrt(r), which keeps high ranks learning (Kalajdzievski 2023, arXiv 2312.03732).",
    )
    use_dora: bool = Field(
        default=False, description="Train each weight's magnitude apart from its direction (arXiv 2402.09353)."
    )
    lora_plus_ratio: float = Field(
        default=1.0,
        ge=1,
        le=256,
        description="LoRA+: the B matrices' learning rate over that of A; 1 is none (Hayou et al. 2024, "
        "arXiv 2402.12354, which advises 16).",
    )
    bias: Literal["none", "all", "lora_only"] = Field(
        default="none", description="Biases trained as well: none, all, or those of the layers that get an update."
    )
    modules_to_save: list[Name] = Field(
        default=[], description="Modules trained whole and stored with the adapter, beside the task's head."
    )
    init: Literal["kaiming", "gaussian"] = Field(default="kaiming", description="How A is drawn; B starts at zero.")

    deciding_settings: ClassVar[tuple[str, ...]] = ("lora_alpha", "alpha_pattern", "use_rslora", "use_dora", "bias")
    learning_rate_range: ClassVar[tuple[float, float]] = (1e-5, 2e-2)
    search_space: ClassVar[Mapping[str, Range | tuple[Any, ...]]] = {
        "training.learning_rate": Range(1e-4, 5e-3),
        "method.r": (4, 8, 16, 32),
        "method.target_modules": ("auto", "all-linear"),
        "method.dropout": Range(0.0, 0.2, log=False),
    }

    def targets(self, layers: Layers) -> list[str]:
        """The linear layers that get an update: none that is trained whole."""
        apart = [name for name in layers if not within(name, self.modules_to_save)]
        if self.target_modules == "all-linear":
            return apart
        return matching(apart, AUTO if self.target_modules == "auto" else self.target_modules)

    def rank(self, layer: str) -> int:
        """The rank of a layer's update: that of the first pattern its name ends in, as in PEFT."""
        return next((rank for ending, rank in self.rank_pattern.items() if _ends(layer, ending)), self.r)

    def mismatches(self, layers: Layers) -> list[Mismatch]:
        """Targets that match no layer, and a rank above the smaller side of a targeted layer.

        Where none matches, the rank is held against every layer.
        """
        named = self.target_modules if isinstance(self.target_modules, list) else []
        found = unmatched("target_modules", named, layers)
        targeted = self.targets(layers)
        if layers and not targeted and not found:
            found.append(self._nothing_targeted())
        for field, patterns in (("rank_pattern", self.rank_pattern), ("alpha_pattern", self.alpha_pattern)):
            idle = [ending for ending in patterns if not any(_ends(name, ending) for name in targeted)]
            rule = "matches no layer that gets an update"
            found += [Mismatch(field, ending, rule, closest(ending, last_parts(targeted))) for ending in idle]
        tightest = min(sorted(targeted or layers), key=lambda name: min(layers[name]) - self.rank(name), default=None)
        if tightest is not None and (rank := self.rank(tightest)) > (side := min(layers[tightest])):
            rule = f"must be at most {side}, the smaller side of layer {tightest}"
            found.append(Mismatch("r" if rank == self.r else "rank_pattern", rank, rule))
        return found

    def _nothing_targeted(self) -> Mismatch:
        if self.modules_to_save:
            rule = "trains every targeted layer whole; leave it out, or name other target_modules"
            return Mismatch("modules_to_save", self.modules_to_save, rule)
        rule = "knows no query or value layer of this model; use all-linear, or names"
        return Mismatch("target_modules", self.target_modules, rule, "all-linear")

    def trainable_parameters(self, shape: ModelShape) -> int:
        """A: r x in, B: out x r of each targeted layer; DoRA's magnitudes: out; ``modules_to_save`` left out."""
        sides = {name: shape.linear_layers[name] for name in self.targets(shape.linear_layers)}
        updates = sum(self.rank(name) * sum(both) + self.use_dora * both[1] for name, both in sides.items())
        biased = {"none": {}, "all": shape.biases, "lora_only": sides}[self.bias]
        return updates + sum(shape.biases.get(name, 0) for name in biased)

    def peft_config(self, model: "torch.nn.Module", head: Head) -> "peft.LoraConfig":
        import peft
        from transformers.pytorch_utils import Conv1D

        from luthier.models.loading import head_names

        heads = head_names(model)
        require_modules(model, self.modules_to_save)
        layers = shape_of(model, without=heads).linear_layers
        return peft.LoraConfig(
            task_type=head.peft_task_type,
            r=self.r,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=shortest(self.targets(layers), layers),
            fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
            rank_pattern=dict(self.rank_pattern),
            alpha_pattern=dict(self.alpha_pattern),
            use_rslora=self.use_rslora,
            use_dora=self.use_dora,
            bias=self.bias,
            init_lora_weights="gaussian" if self.init == "gaussian" else True,
            modules_to_save=[*heads, *self.modules_to_save],
        )

    def parameter_groups(
        self, model: "torch.nn.Module", learning_rate: float, weight_decay: float
    ) -> list[dict[str, Any]] | None:
        """With LoRA+, B apart from the rest; biases, norms and magnitudes do not decay."""
        if self.lora_plus_ratio == 1:
            return None
        groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                rate = learning_rate * (self.lora_plus_ratio if "lora_B" in name else 1)
                groups.setdefault((rate, weight_decay if parameter.ndim > 1 else 0.0), []).append(parameter)
        return [{"params": found, "lr": rate, "weight_decay": decay} for (rate, decay), found in groups.items()]


def _ends(layer: str, pattern: str) -> bool:
    return re.match(rf"(.*\.)?({pattern})$", layer) is not None


class Lora(LoraSettings):
    """Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685).

    New low-rank weights bear larger steps than pretrained ones do: small encoders learn well near 1e-3. The paper's
    tables take 4e-4 or 5e-4 for RoBERTa and 2e-4 for GPT-2.
    """

    kind: Literal["lora"] = Field(default="lora", description="Low-rank updates beside a frozen base.")

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-3}
    family_defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "decoder": {"learning_rate": 2e-4},
        "encoder-decoder": {"learning_rate": 5e-4},
    }
