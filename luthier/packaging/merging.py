"""A trained adapter and its base as plain safetensors in float32: one model where it merges, side by side elsewhere."""

import copy
import shutil
from pathlib import Path
from typing import Any, Final

import torch

from luthier.methods import Method
from luthier.models.loading import auto_class, load_model, load_tokenizer
from luthier.models.quantization import dequantize
from luthier.tasks.chat import with_chat_template
from luthier.tasks.head import Head

# The folder of an adapter beside its base, and what it needs of the trained artifact.
ADAPTER: Final = "adapter"
ADAPTER_FILES: Final = ("adapter_config.json", "adapter_model.safetensors")


def load_reference(method: Method, model: Path, tuned: Path, head: Head) -> torch.nn.Module:
    """The tuned model as it was trained (adapter beside the base, 4-bit layers in 4 bits), computing in float32.

    This is the model that is evaluated, and the one that every packaged form must agree with.
    """
    return method.load(model, tuned, head, dtype=torch.float32, attention="eager").eval()


def write_servable(method: Method, model: Path, tuned: Path, head: Head, folder: Path) -> None:
    """Writes the tuned model with its tokenizer to ``folder``: merged, or the plain base with ``adapter/`` in it.

    4-bit layers are dequantized first: merged in place the sum would be quantized again, and most of the tuning lost.
    """
    if method.merges:
        tunable = method.load(model, tuned, head, dtype=torch.float32, attention="eager", dequantized=True)
        _write_plain(method.merge(tunable), head, folder)
    else:
        base = load_model(model, head, dtype=torch.float32, attention="eager")
        dequantize(base)
        _write_plain(base, head, folder)
        (folder / ADAPTER).mkdir()
        for name in ADAPTER_FILES:
            shutil.copyfile(tuned / name, folder / ADAPTER / name)
    tokenizer = load_tokenizer(model)
    if head.kind == "causal-lm":
        # Others than Luthier then write conversations as it does.
        with_chat_template(tokenizer)
    tokenizer.save_pretrained(folder)


def load_servable(folder: Path, head: Head, method: Method | None) -> torch.nn.Module:
    """The model of a folder of ``write_servable``; ``method`` is that of the adapter beside it, if it has one."""
    options: dict[str, Any] = {"dtype": torch.float32, "attention": "eager"}
    if method is None:
        return load_model(folder, head, **options).eval()
    return method.load(folder, folder / ADAPTER, head, **options).eval()


def _write_plain(model: torch.nn.Module, head: Head, folder: Path) -> None:
    """Saves ``model`` by way of a new one: transformers writes what was once quantized in a quantized layout."""
    config = copy.deepcopy(model.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = auto_class(head).from_config(config, dtype=torch.float32)
    plain.load_state_dict(model.state_dict())
    if head.is_language_model:
        # Where generation ends is said here, and nowhere in the other configuration.
        plain.generation_config = model.generation_config
    plain.save_pretrained(folder)
