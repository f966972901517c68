"""ONNX by torch's exporter, for onnxruntime: float32, and 8-bit integers by dynamic quantization.

Dynamic quantization stores weights in 8 bits and rounds activations as they come (Jacob et al. 2018, arXiv 1712.05877;
onnxruntime.ai/docs/performance/model-optimizations/quantization).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from luthier.errors import ModelError
from luthier.packaging.targets.target import ProvenModel, Target
from luthier.tasks.head import HeadKind

if TYPE_CHECKING:
    from luthier.methods import AnyMethod

FILES: Final = {"float32": "model.onnx", "int8": "model.int8.onnx"}
PACKAGES: Final = ("onnx", "onnxruntime", "onnxscript")
# Rows whose times are taken, one at a time.
TIMED_ROWS: Final = 8


def _with_float32(precisions: list[str]) -> list[str]:
    if "float32" not in precisions:
        raise PydanticCustomError("float32", "must have float32, which int8 is made from")
    return precisions


class Onnx(Target):
    """A graph that takes token ids, and gives logits."""

    title: ClassVar[str] = "ONNX"
    heads: ClassVar[tuple[HeadKind, ...]] = ("sequence-classification", "token-classification", "question-answering")

    precisions: Annotated[list[Literal["float32", "int8"]], AfterValidator(_with_float32)] = Field(
        default=["float32", "int8"], description="One file for each."
    )
    int8_agreement: float = Field(
        default=0.95, ge=0, le=1, description="Share of validation answers that int8 must give as the trained model."
    )
    int8_difference: float = Field(
        default=0.4,
        ge=0,
        le=1e9,
        description="How far a probability, or a number, of int8 may be from the trained one.",
    )

    def method_refusal(self, method: "AnyMethod", *, public_base: bool) -> str | None:
        return None if method.merges else f"{method.kind} does not merge into the one graph that ONNX holds"

    def require(self, model: Path) -> None:
        if missing := [name for name in PACKAGES if find_spec(name) is None]:
            raise ModelError(
                "ONNX needs packages that are not installed",
                where="deploy.targets",
                received=", ".join(missing),
                remedy='pip install "luthier[onnx]", or leave onnx out',
            )

    def write(self, model: ProvenModel, folder: Path) -> None:
        from luthier.packaging.onnx_export import export, quantize

        self.require(model.folder)
        model.copy_without_weights(folder)
        export(model.folder, model.serving.head, folder / FILES["float32"])
        if "int8" in self.precisions:
            quantize(folder / FILES["float32"], folder / FILES["int8"])

    def prove(self, model: ProvenModel, folder: Path) -> Mapping[str, Any]:
        from luthier.models.loading import load_tokenizer
        from luthier.packaging.merging import load_servable
        from luthier.packaging.onnx_session import OnnxModel
        from luthier.packaging.targets.agreement import require_agreement

        tokenizer = load_tokenizer(folder)
        forms: dict[str, Any] = {name: OnnxModel(folder / FILES[name], folder) for name in self.precisions}
        found = {name: model.answers(form, tokenizer) for name, form in forms.items()}
        facts: dict[str, Any] = {"parity": asdict(model.require_parity("ONNX float32", found["float32"]))}
        if "int8" in found:
            agreement = require_agreement(
                "ONNX int8",
                model.serving.head,
                model.expected,
                found["int8"],
                share=self.int8_agreement,
                difference=self.int8_difference,
                remedy="set deploy.onnx.precisions to [float32], or loosen int8_agreement and int8_difference",
            )
            facts["int8"] = asdict(agreement)
        torch_model = load_servable(model.folder, model.serving.head, None)
        facts["files"] = {name: (folder / FILES[name]).stat().st_size for name in forms}
        facts["latency"] = _latency({"torch": torch_model, **forms}, _inputs(model, tokenizer))
        return facts


def _inputs(model: ProvenModel, tokenizer: Any) -> Sequence[Mapping[str, Any]]:
    """The model's inputs for some rows, each alone."""
    from luthier.tasks import TASKS
    from luthier.tasks.batches import padded

    serving = model.serving
    rows = model.rows.slice(0, TIMED_ROWS)
    columns = TASKS[serving.task].encode(rows, tokenizer, serving.head, max_length=serving.max_length).columns
    features = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [padded(tokenizer, [feature]) for feature in features[:TIMED_ROWS]]


def _latency(models: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    import torch

    from luthier.packaging.targets.latency import RUNS, latencies

    with torch.inference_mode():
        found = latencies({name: _asked(model) for name, model in models.items()}, inputs)
    how = {"inputs": len(inputs), "runs": RUNS, "threads": torch.get_num_threads()}
    return {**how, **{name: asdict(latency) for name, latency in found.items()}}


def _asked(model: Any) -> Callable[[Mapping[str, Any]], object]:
    return lambda given: model(**given)
