"""Bottleneck adapters: down, non-linearity, up, added to what a frozen layer puts out.

For a targeted layer with output y of d features and an adapter of m = d // reduction_factor features:

    y + up(f(down(y)))    down: d -> m, up: m -> d, both with bias

The layer is the last of an attention or feed-forward block, so this happens before the block's residual is added
(Houlsby et al. 2019, arXiv 1902.00751: behind both; Pfeiffer et al. 2021, arXiv 2005.00247: behind the feed-forward).
"""

import warnings
from dataclasses import dataclass, field
from typing import Any

import torch
from peft import PeftConfig
from peft.tuners.tuners_utils import BaseTunerLayer, _get_in_out_features
from peft.utils import PeftType
from torch import nn

from luthier.methods.tuners.tuner import Tuner

NON_LINEARITIES = {
    "relu": nn.functional.relu,
    "gelu": nn.functional.gelu,
    "silu": nn.functional.silu,
    "tanh": torch.tanh,
}


@dataclass
class BottleneckConfig(PeftConfig):
    """The settings of bottleneck adapters."""

    reduction_factor: int = field(default=16, metadata={"help": "Features of the layer over features of the adapter."})
    non_linearity: str = field(default="relu", metadata={"help": f"One of {', '.join(NON_LINEARITIES)}."})
    init_std: float = field(default=1e-2, metadata={"help": "Standard deviation of the down-projection at the start."})
    target_modules: list[str] | str | None = field(default=None, metadata={"help": "Names, or a regular expression."})
    exclude_modules: list[str] | str | None = field(default=None, metadata={"help": "Names never targeted."})
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "Modules trained whole, as the head."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PeftType("BOTTLENECK")
        if self.non_linearity not in NON_LINEARITIES:
            raise ValueError(f"non_linearity must be one of {', '.join(NON_LINEARITIES)}: {self.non_linearity!r}")
        if self.reduction_factor < 1:
            raise ValueError(f"reduction_factor must be at least 1, received {self.reduction_factor}")


class BottleneckLayer(nn.Module, BaseTunerLayer):
    """A frozen layer with adapters on its output; active ones are applied one after the other."""

    adapter_layer_names = ("bottleneck_down", "bottleneck_up")
    other_param_names = ("non_linearities",)

    def __init__(self, base_layer: nn.Module, adapter_name: str, config: BottleneckConfig) -> None:
        super().__init__()
        _, features = _get_in_out_features(base_layer)
        if features is None:
            raise ValueError(f"no adapter can follow a {type(base_layer).__name__}: its output's size is not known")
        self.base_layer = base_layer
        self.features: int = features
        self.bottleneck_down = nn.ModuleDict()
        self.bottleneck_up = nn.ModuleDict()
        self.non_linearities: dict[str, str] = {}
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, config)

    def update_layer(self, adapter_name: str, config: BottleneckConfig) -> None:
        """Adds an adapter that changes nothing yet: its up-projection is zero."""
        size, device = max(1, self.features // config.reduction_factor), self.weight.device
        down, up = nn.Linear(self.features, size, device=device), nn.Linear(size, self.features, device=device)
        nn.init.normal_(down.weight, std=config.init_std)
        for zero in (down.bias, up.weight, up.bias):
            nn.init.zeros_(zero)
        self.bottleneck_down[adapter_name], self.bottleneck_up[adapter_name] = down, up
        self.non_linearities[adapter_name] = config.non_linearity
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        output = self.base_layer(*args, **kwargs)
        if not self.disable_adapters:
            for name in self.active_adapters:
                if name in self.bottleneck_down:
                    output = output + self._update(name, output)
        return output

    def unmerge(self) -> None:
        """Does nothing: no adapter of this kind is ever merged."""
        warnings.warn("Already unmerged. Nothing to do.", stacklevel=2)

    def _update(self, name: str, output: torch.Tensor) -> torch.Tensor:
        down, up = self.bottleneck_down[name], self.bottleneck_up[name]
        hidden = NON_LINEARITIES[self.non_linearities[name]](down(output.to(down.weight.dtype)))
        return up(hidden).to(output.dtype)


class BottleneckModel(Tuner):
    """Puts bottleneck adapters behind a model's layers."""

    prefix = "bottleneck_"
    tuner_layer_cls = BottleneckLayer

    def _prepare_adapter_config(self, peft_config: BottleneckConfig, model_config: dict[str, Any]) -> BottleneckConfig:
        if peft_config.target_modules is None:
            raise ValueError("target_modules is required: the layers that adapters follow")
        return peft_config

    def _check_merge_allowed(self) -> None:
        raise ValueError(
            "bottleneck adapters cannot be merged: the non-linearity between their two projections is no matrix that "
            "could be added to a layer's; keep the adapter beside its base"
        )
