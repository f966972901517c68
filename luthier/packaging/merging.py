"""Merging a trained adapter into its base, in float32, as plain safetensors."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from luthier.methods import Method
from luthier.models.loading import load_tokenizer
from luthier.models.quantization import dequantize

log = logging.getLogger(__name__)


def load_reference(method: Method, model: Path, tuned: Path, labels: Sequence[str]) -> torch.nn.Module:
    """The tuned model as it was trained (adapter beside the base, 4-bit layers in 4 bits), computing in float32.

    This is the model that is evaluated, and the one that every packaged form must agree with.
    """
    return method.load(model, tuned, labels, dtype=torch.float32, attention="eager").eval()


def write_merged(method: Method, model: Path, tuned: Path, labels: Sequence[str], folder: Path) -> None:
    """Writes one plain float32 model with its tokenizer to ``folder``.

    4-bit layers are dequantized first: merged in place the sum would be quantized again, and most of the tuning lost.
    """
    reference = load_reference(method, model, tuned, labels)
    if dequantized := dequantize(reference):
        log.info("%d layers dequantized for merging", dequantized)
    merged = method.merge(reference).float()
    for attribute in ("quantization_config", "_pre_quantization_dtype"):
        if hasattr(merged.config, attribute):
            delattr(merged.config, attribute)
    merged.save_pretrained(folder)
    load_tokenizer(model).save_pretrained(folder)
