"""The sizes of a model that decide what a method costs on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch
    import transformers

Architecture = Literal["encoder", "decoder", "encoder-decoder"]

DECODERS = frozenset({"gemma", "gpt2", "llama", "mistral", "phi3", "qwen2", "qwen3"})
# Their positions begin behind the number of the padding token.
OFFSET_POSITIONS = frozenset({"camembert", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl"})


@dataclass(frozen=True)
class ModelShape:
    """A model without its head.

    ``key_value_size``: features of one layer's keys, which grouped-query attention makes fewer than ``hidden_size``.
    ``linear_layers``: name -> (in, out) features. ``biases``: name of whatever has one -> features.
    """

    family: str
    architecture: Architecture
    hidden_size: int
    layers: int
    heads: int
    key_value_size: int
    vocabulary: int
    linear_layers: Mapping[str, tuple[int, int]]
    biases: Mapping[str, int]
    parameters: int


def shape_of(model: "transformers.PreTrainedModel", *, without: Sequence[str] = ()) -> ModelShape:
    """The shape of a model, which may lie on the meta device; ``without`` names the modules of its head.

    The layer that turns hidden states into tokens is no linear layer here: no method attaches to it.
    """
    config, output = model.config, model.get_output_embeddings()
    base = [(name, module) for name, module in model.named_modules() if not _within(name, without)]
    own = {id(p): p.numel() for _, module in base for p in module.parameters(recurse=False)}
    biases = {name: bias.numel() for name, module in base if (bias := module._parameters.get("bias")) is not None}
    return ModelShape(
        family=config.model_type,
        architecture=architecture_of(config),
        hidden_size=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        key_value_size=key_value_size(config),
        vocabulary=config.vocab_size,
        linear_layers={name: sides for name, module in base if module is not output and (sides := _sides(module))},
        biases=biases,
        parameters=sum(own.values()),
    )


def architecture_of(config: Any) -> Architecture:
    """Which half of a transformer a model is, or both."""
    if config.is_encoder_decoder:
        return "encoder-decoder"
    return "decoder" if config.model_type in DECODERS else "encoder"


def longest_input(config: Any) -> int | None:
    """How many tokens a model has positions for; None where it needs none."""
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None or config.model_type not in OFFSET_POSITIONS:
        return positions
    return positions - config.pad_token_id - 1


def key_value_size(config: Any) -> int:
    """Features of one layer's keys, and of its values."""
    size = getattr(config, "head_dim", None) or getattr(config, "d_kv", None)
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return heads * (size or config.hidden_size // config.num_attention_heads)


def _sides(module: "torch.nn.Module") -> tuple[int, int] | None:
    import torch
    from transformers.pytorch_utils import Conv1D

    if isinstance(module, torch.nn.Linear):
        return module.in_features, module.out_features
    return tuple(module.weight.shape) if isinstance(module, Conv1D) else None


def _within(name: str, modules: Sequence[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)
