"""LoRA: low-rank updates beside frozen linear layers."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from luthier.methods.method import BaseMethod, Mismatch
from luthier.tasks.head import Head

if TYPE_CHECKING:
    import torch


# The layers that PEFT's default targets name, where a model family has one.
ATTENTION = ("query", "value", "q_proj", "v_proj", "query_proj", "value_proj", "query_key_value", "qkv_proj", "Wqkv")

Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class LoraSettings(BaseMethod):
    """The settings that LoRA and QLoRA share."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    kind: str = Field(description="The kind of method.")
    r: int = Field(default=8, ge=1, le=65536, description="Rank of the update.")
    alpha: int = Field(default=16, ge=1, le=65536, description="The update is scaled by alpha / r.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout on the adapter's input.")
    target_modules: Literal["auto", "all-linear"] | Names = Field(
        default="auto",
        description="Which linear layers get an update: auto (the attention's query and value), all-linear, or names.",
    )

    def mismatches(self, layers: Mapping[str, tuple[int, int]]) -> list[Mismatch]:
        """Targets that match no layer, and a rank above the smaller side of a targeted layer.

        A target matches as in PEFT: the layer's whole name, or its end after a dot. Where none matches, the rank is
        held against every layer.
        """
        named = self.target_modules if isinstance(self.target_modules, list) else []
        found = _unmatched(named, layers)
        targets = ATTENTION if self.target_modules == "auto" else named
        targeted = {name for name in layers if any(_matches(name, target) for target in targets)} or set(layers)
        smallest = min(((min(layers[name]), name) for name in targeted), default=None)
        if smallest and self.r > smallest[0]:
            rule = f"must be at most {smallest[0]}, the smaller side of layer {smallest[1]}"
            found.append(Mismatch("r", self.r, rule))
        return found

    def attach(self, model: "torch.nn.Module", head: Head) -> "torch.nn.Module":
        import peft

        from luthier.models.loading import head_names

        config = peft.LoraConfig(
            task_type=head.peft_task_type,
            r=self.r,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=None if self.target_modules == "auto" else self.target_modules,
            modules_to_save=head_names(model),
        )
        return peft.get_peft_model(model, config)

    def save(self, model: "torch.nn.Module", folder: Path) -> None:
        model.save_pretrained(folder)
        # PEFT writes sets in the process's own order and the base's absolute path: the same adapter, the same bytes.
        path = folder / "adapter_config.json"
        config = json.loads(path.read_text())
        config = {name: sorted(value) if _is_names(value) else value for name, value in config.items()}
        path.write_text(json.dumps({**config, "base_model_name_or_path": None}, indent=2, sort_keys=True))
        (folder / "README.md").unlink(missing_ok=True)

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
        import peft

        from luthier.models.loading import load_model
        from luthier.models.quantization import dequantize

        base = load_model(model, head, dtype=dtype, attention=attention)
        if dequantized:
            dequantize(base)
        return peft.PeftModel.from_pretrained(base, tuned, is_trainable=False)

    def merge(self, model: "torch.nn.Module") -> "torch.nn.Module":
        return model.merge_and_unload(safe_merge=True)


def _unmatched(targets: Sequence[str], layers: Mapping[str, tuple[int, int]]) -> list[Mismatch]:
    names = sorted({name.rpartition(".")[2] for name in layers})
    rule = f"matches no linear layer of the model, which has {', '.join(names) or 'none'}"
    return [
        Mismatch("target_modules", target, rule, next(iter(get_close_matches(target, names, n=1)), None))
        for target in targets
        if not any(_matches(name, target) for name in layers)
    ]


def _matches(layer: str, target: str) -> bool:
    return layer == target or layer.endswith(f".{target}")


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


class Lora(LoraSettings):
    """Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685).

    New low-rank weights bear larger steps than pretrained ones do; small encoders learn well near 1e-3.
    """

    kind: Literal["lora"] = Field(default="lora", description="Low-rank updates beside a frozen base.")

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-3}
