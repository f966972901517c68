"""BitFit: every bias of the model is trained, and nothing else (Ben Zaken et al. 2022, arXiv 2106.10199).

An adapter holds the trained biases themselves, not their differences to the base's, so that merging puts each in its
place and the merged model computes the very same numbers.
"""

import warnings
from dataclasses import dataclass, field
from typing import Any

import torch
from peft import PeftConfig
from peft.tuners.tuners_utils import BaseTunerLayer, check_adapters_to_merge
from peft.utils import PeftType
from torch import nn
from torch.func import functional_call

from luthier.methods.tuners.tuner import Tuner


@dataclass
class BitFitConfig(PeftConfig):
    """The settings of BitFit: there are none beside the modules that are trained whole."""

    modules_to_save: list[str] | None = field(default=None, metadata={"help": "Modules trained whole, as the head."})
    # PEFT reads it of every configuration.
    target_modules: None = field(default=None, metadata={"help": "Always every layer with a bias."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PeftType("BITFIT")


class BitFitLayer(nn.Module, BaseTunerLayer):
    """A layer that computes with the active adapter's bias in place of its own."""

    adapter_layer_names = ("bitfit_bias",)

    def __init__(self, base_layer: nn.Module, adapter_name: str, config: BitFitConfig) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.bitfit_bias = nn.ParameterDict()
        self.merged_adapters: list[str] = []
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, config)

    def update_layer(self, adapter_name: str, config: BitFitConfig) -> None:
        """Adds an adapter that changes nothing yet: its bias is the layer's own, in float32."""
        own = self._own_bias if self.merged else self.base_layer.bias
        self.bitfit_bias[adapter_name] = nn.Parameter(own.detach().clone().float())
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self.disable_adapters and self.merged:
            self.unmerge()
        names = [] if self.disable_adapters or self.merged else self.active_adapters
        bias = self._bias(names)
        if bias is None:
            return self.base_layer(*args, **kwargs)
        return functional_call(self.base_layer, {"bias": bias}, args, kwargs)

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Puts the adapter's bias in the place of the layer's own.

        Raises:
            ValueError: with ``safe_merge``, the bias is not finite.
        """
        names = check_adapters_to_merge(self, adapter_names)
        bias = self._bias(names)
        if bias is None:
            return
        if safe_merge and not torch.isfinite(bias).all():
            raise ValueError(f"the bias of adapter {names[0]} holds NaN or infinity")
        self._own_bias = self.base_layer.bias.data
        self.base_layer.bias.data = bias.detach().clone()
        self.merged_adapters.extend(names)

    def unmerge(self) -> None:
        """Puts the layer's own bias back."""
        if not self.merged:
            warnings.warn("Already unmerged. Nothing to do.", stacklevel=2)
            return
        # The layer may have moved, or changed its precision, since.
        self.base_layer.bias.data = self._own_bias.to(self.base_layer.bias)
        self.merged_adapters.clear()

    def _bias(self, names: list[str]) -> torch.Tensor | None:
        """The bias of the one adapter among ``names`` that this layer has, in the precision the layer adds it in."""
        found = [name for name in names if name in self.bitfit_bias]
        if len(found) > 1 or (found and self.merged):
            raise ValueError(f"a layer has one bias: {', '.join([*self.merged_adapters, *found])} cannot act at once")
        dtype = getattr(self.base_layer, "compute_dtype", None) or self.base_layer.bias.dtype
        return self.bitfit_bias[found[0]].to(dtype) if found else None


class BitFitModel(Tuner):
    """Trains every bias of a model."""

    prefix = "bitfit_"
    tuner_layer_cls = BitFitLayer

    def _prepare_model(self, peft_config: BitFitConfig, model: nn.Module) -> None:
        if not any(self._check_target_module_exists(peft_config, name) for name, _ in model.named_modules()):
            raise ValueError("the model has no bias that BitFit could train; use lora or ia3 instead")

    def _check_target_module_exists(self, peft_config: BitFitConfig, key: str) -> bool:
        """Whether a module has a bias of its own, and is no part of one that is trained whole."""
        module = self.model.get_submodule(key)
        whole = any(f".{name}." in f".{key}." for name in peft_config.modules_to_save or ())
        return not whole and (isinstance(module, BitFitLayer) or _has_bias(module))


def _has_bias(module: nn.Module) -> bool:
    return module._parameters.get("bias") is not None and not any(module.children())
