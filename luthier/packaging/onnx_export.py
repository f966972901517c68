"""A plain model as an ONNX graph, and that graph with 8-bit weights."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch

from luthier.models.loading import load_model, load_tokenizer
from luthier.tasks.batches import padded
from luthier.tasks.head import Head

OUTPUTS: Final = {"question-answering": ("start_logits", "end_logits")}
# A protocol buffer ends at 2 GiB: larger weights lie in a file beside the graph.
LARGEST: Final = 2**31 - 2**28
# Any text will do, of more than one row and one token: sizes of 1 would be taken for constants.
EXAMPLE: Final = ("a text of several words", "another")


class _Outputs(torch.nn.Module):
    """A model as a function of tensors alone."""

    def __init__(self, model: torch.nn.Module, inputs: list[str], outputs: tuple[str, ...]):
        super().__init__()
        self.model, self.inputs, self.outputs = model, inputs, outputs

    def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self.model(**dict(zip(self.inputs, given, strict=True)))
        return tuple(getattr(found, name) for name in self.outputs)


def export(folder: Path, head: Head, file: Path) -> None:
    """Writes the model of a folder of ``write_servable``; rows and tokens of a batch may be any number."""
    model = load_model(folder, head, dtype=torch.float32, attention="eager").eval()
    model.config.use_cache = False
    tokenizer = load_tokenizer(folder)
    example = padded(tokenizer, [tokenizer(text) for text in EXAMPLE])
    outputs = OUTPUTS.get(head.kind, ("logits",))
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with _quiet(), torch.no_grad():
        torch.onnx.export(
            _Outputs(model, list(example), outputs),
            tuple(example.values()),
            file,
            input_names=list(example),
            output_names=list(outputs),
            dynamo=True,
            # One entry for the star argument.
            dynamic_shapes=(tuple(sizes for _ in example),),
            external_data=_is_large(folder),
            verbose=False,
        )


def quantize(file: Path, target: Path) -> None:
    """Writes the same graph with 8-bit weights, a scale for each output, and room for sums on older processors."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    large = file.with_name(f"{file.name}.data").exists()
    with _quiet():
        quantize_dynamic(
            file,
            target,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            use_external_data_format=large,
        )


def _is_large(folder: Path) -> bool:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) > LARGEST


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's notes on packages that it would have used, and the quantizer's on its root logger."""
    names: list[Any] = ["torch.onnx._internal.exporter._registration", "onnxscript", None]
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
