"""Quantizing a base model to 4 bits as its own stored artifact (QLoRA, arXiv 2305.14314, sections 3 and 4)."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.pytorch_utils import Conv1D

from luthier.methods.qlora import Quantization
from luthier.models.configuration import read_config
from luthier.models.loading import HEADS, encoder_of, load_encoder, load_tokenizer

log = logging.getLogger(__name__)

PROBE = (
    "The film is a quiet triumph of patience over spectacle.",
    "Nothing in this report suggests that the estimate was wrong.",
    "She paid for the tickets, but the train had already left.",
    "How many people live within an hour of the nearest hospital?",
)


@dataclass(frozen=True)
class QuantizationFacts:
    """Memory in bytes of the weights; errors relative: norm of the difference over norm of the original."""

    quantized: bool
    type: str
    double_quantization: bool
    layers: int
    base_bytes: int
    bytes: int
    weight_error: float
    worst_weight_error: float
    worst_layer: str
    hidden_state_error: float


def write_quantized_model(base: Path, quantization: Quantization, folder: Path) -> QuantizationFacts:
    """Quantizes ``base``, saves it in 4 bits as safetensors, reloads what was saved and measures its error."""
    config = read_config(base)
    architecture = getattr(transformers, config.architectures[0])
    model = architecture.from_pretrained(
        base,
        quantization_config=transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=quantization.type,
            bnb_4bit_use_double_quant=quantization.double_quantization,
            bnb_4bit_compute_dtype=getattr(torch, quantization.compute_dtype),
            # A pooler stands inside the base of some families, and is found by the end of its name.
            llm_int8_skip_modules=[*HEADS, "pooler.dense"],
        ),
        dtype=getattr(torch, quantization.compute_dtype),
        attn_implementation="eager",
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
    )
    model.save_pretrained(folder)
    load_tokenizer(base).save_pretrained(folder)
    facts = _facts(base, folder, quantization)
    (folder / "facts.json").write_text(json.dumps(asdict(facts), indent=2))
    return facts


def point_at_base(base: Path, folder: Path) -> None:
    """The manifest of a recipe that does not quantize: the base itself is what trains."""
    (folder / "facts.json").write_text(json.dumps({"quantized": False, "base": base.name}, indent=2))


def dequantize(model: torch.nn.Module) -> int:
    """Replaces every 4-bit layer by a linear layer with the very weights its forward pass uses; returns how many."""
    import bitsandbytes

    quantized = [(n, m) for n, m in model.named_modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]
    for name, module in quantized:
        weight = bitsandbytes.functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
        plain = _plain(module, weight.to(module.compute_dtype))
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, plain)
    return len(quantized)


def _plain(module: Any, weight: torch.Tensor) -> torch.nn.Module:
    """A layer of the kind that was quantized; GPT-2's keeps its weight the other way round."""
    turned = issubclass(module.source_cls, Conv1D)
    with torch.device("meta"):
        plain = (
            Conv1D(module.out_features, module.in_features)
            if turned
            else torch.nn.Linear(module.in_features, module.out_features, bias=module.bias is not None)
        )
    plain.weight = torch.nn.Parameter(weight.t().contiguous() if turned else weight, requires_grad=False)
    if module.bias is not None:
        plain.bias = torch.nn.Parameter(module.bias.data, requires_grad=False)
    return plain


def _facts(base: Path, folder: Path, quantization: Quantization) -> QuantizationFacts:
    original = load_encoder(base, dtype=torch.float32, attention="eager")
    reloaded = load_encoder(folder, dtype=torch.float32, attention="eager")
    footprint = reloaded.get_memory_footprint()
    tokens = load_tokenizer(base)(list(PROBE), padding=True, return_tensors="pt")
    mask = tokens["attention_mask"].bool()
    with torch.inference_mode():
        expected, received = (encoder_of(m)(**tokens).last_hidden_state[mask] for m in (original, reloaded))
    dequantize(reloaded)
    errors = _weight_errors(original, reloaded)
    worst = max(errors, key=errors.__getitem__)
    return QuantizationFacts(
        quantized=True,
        type=quantization.type,
        double_quantization=quantization.double_quantization,
        layers=len(errors),
        base_bytes=original.get_memory_footprint(),
        bytes=footprint,
        weight_error=sum(errors.values()) / len(errors),
        worst_weight_error=errors[worst],
        worst_layer=worst,
        hidden_state_error=_relative_error(expected, received),
    )


def _weight_errors(original: torch.nn.Module, dequantized: torch.nn.Module) -> dict[str, float]:
    originals = dict(original.named_modules())
    return {
        name: _relative_error(originals[name].weight, module.weight.float())
        for name, module in dequantized.named_modules()
        if isinstance(module, (torch.nn.Linear, Conv1D))
    }


def _relative_error(expected: torch.Tensor, received: torch.Tensor) -> float:
    return float((received - expected).detach().norm() / expected.detach().norm())
