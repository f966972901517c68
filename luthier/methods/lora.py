"""LoRA: low-rank updates beside frozen linear layers."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from luthier.methods.method import BaseMethod, Mismatch

if TYPE_CHECKING:
    import torch


class LoraSettings(BaseMethod):
    """The settings that LoRA and QLoRA share."""

    r: int = Field(default=8, ge=1, description="Rank of the update.")
    alpha: int = Field(default=16, ge=1, description="The update is scaled by alpha / r.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout on the adapter's input.")
    target_modules: Literal["auto", "all-linear"] | list[str] = Field(
        default="auto",
        description="Which linear layers get an update: auto (the attention's query and value), all-linear, or names.",
    )

    def mismatches(self, layers: Mapping[str, tuple[int, int]]) -> list[Mismatch]:
        names = sorted({name.rpartition(".")[2] for name in layers})
        found: list[Mismatch] = []
        targeted = dict(layers)
        if isinstance(self.target_modules, list):
            for target in self.target_modules:
                if not any(_matches(name, target) for name in layers):
                    near = get_close_matches(target, names, n=1)
                    rule = f"matches no linear layer of the model; it has {', '.join(names)}"
                    found.append(Mismatch("target_modules", target, rule, near[0] if near else None))
            targeted = {n: s for n, s in layers.items() if any(_matches(n, t) for t in self.target_modules)} or targeted
        smallest = min(((min(shape), name) for name, shape in targeted.items()), default=None)
        if smallest and self.r > smallest[0]:
            rule = f"must be at most {smallest[0]}, the smaller side of layer {smallest[1]}"
            found.append(Mismatch("r", self.r, rule))
        return found

    def attach(self, model: "torch.nn.Module") -> "torch.nn.Module":
        import peft

        from luthier.models.loading import head_names

        config = peft.LoraConfig(
            task_type="SEQ_CLS",
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
        self, model: Path, tuned: Path, labels: Sequence[str], *, dtype: "torch.dtype", attention: str
    ) -> "torch.nn.Module":
        import peft

        from luthier.models.loading import load_classifier

        base = load_classifier(model, labels, dtype=dtype, attention=attention)
        return peft.PeftModel.from_pretrained(base, tuned, is_trainable=False)

    def merge(self, model: "torch.nn.Module") -> "torch.nn.Module":
        return model.merge_and_unload(safe_merge=True)


def _matches(layer: str, target: str) -> bool:
    return layer == target or layer.endswith(f".{target}")


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


class Lora(LoraSettings):
    """Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685); encoders of this size learn best near 1e-3."""

    kind: Literal["lora"]

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-3}
