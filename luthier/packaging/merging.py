"""Merging a trained adapter into its base, in float32, as plain safetensors."""

import copy
from pathlib import Path

import torch

from luthier.methods import Method
from luthier.models.loading import auto_class, load_tokenizer
from luthier.tasks.head import Head


def load_reference(method: Method, model: Path, tuned: Path, head: Head) -> torch.nn.Module:
    """The tuned model as it was trained (adapter beside the base, 4-bit layers in 4 bits), computing in float32.

    This is the model that is evaluated, and the one that every packaged form must agree with.
    """
    return method.load(model, tuned, head, dtype=torch.float32, attention="eager").eval()


def write_merged(method: Method, model: Path, tuned: Path, head: Head, folder: Path) -> None:
    """Writes one plain float32 model with its tokenizer to ``folder``.

    4-bit layers are dequantized first: merged in place the sum would be quantized again, and most of the tuning lost.
    """
    tunable = method.load(model, tuned, head, dtype=torch.float32, attention="eager", dequantized=True)
    merged = method.merge(tunable)
    config = copy.deepcopy(merged.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    # transformers writes a model that was once quantized in a quantized layout, so its weights move into a plain one.
    plain = auto_class(head).from_config(config, dtype=torch.float32)
    plain.load_state_dict(merged.state_dict())
    plain.save_pretrained(folder)
    load_tokenizer(model).save_pretrained(folder)
