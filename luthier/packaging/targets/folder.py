"""A Hugging Face folder: what transformers, and PEFT for an adapter, load with nothing of Luthier."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from luthier.packaging.targets.target import ProvenModel, Target
from luthier.tasks.head import HeadKind

if TYPE_CHECKING:
    from luthier.methods import AnyMethod

# Where an adapter's base comes from, and the digests of its weights.
BASE: Final = "base_model.json"


class Folder(Target):
    """All weights in one model, or the adapter alone with a reference to its base."""

    title: ClassVar[str] = "a Hugging Face folder"
    heads: ClassVar[tuple[HeadKind, ...]] = (
        "sequence-classification",
        "token-classification",
        "question-answering",
        "causal-lm",
        "seq2seq-lm",
    )

    weights: Literal["merged", "adapter"] = Field(
        default="merged", description="The whole model, or the adapter alone, which names the base it belongs to."
    )

    def method_refusal(self, method: "AnyMethod", *, public_base: bool) -> str | None:
        if self.weights == "merged":
            return None if method.merges else _not_merged(method)
        if not method.plain_peft:
            return f"{method.kind} has no adapter that PEFT alone could load; use deploy.folder.weights: merged"
        if method.base_quantization is not None:
            return "an adapter trained on a quantized base answers otherwise on the plain one; use merged"
        if not public_base:
            return "the adapter's base would be a champion that only Luthier has; use merged"
        return None

    def write(self, model: ProvenModel, folder: Path) -> None:
        model.copy_without_weights(folder)
        (folder / "README.md").write_text(model.card)
        if self.weights == "merged":
            for path in model.folder.glob("*.safetensors*"):
                link_or_copy(path, folder / path.name)
        else:
            _write_adapter(model, folder)

    def prove(self, model: ProvenModel, folder: Path) -> Mapping[str, Any]:
        """Read by transformers and PEFT themselves, and not by Luthier's loading."""
        import torch
        import transformers

        from luthier.models.loading import auto_class

        options = {"dtype": torch.float32, "attn_implementation": "eager", "local_files_only": True}
        options |= {"use_safetensors": True, "trust_remote_code": False}
        plain = auto_class(model.serving.head)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if self.weights == "merged":
            loaded = plain.from_pretrained(folder, **options)
        else:
            import peft

            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            base = plain.from_pretrained(model.base, config=config, ignore_mismatched_sizes=True, **options)
            loaded = peft.PeftModel.from_pretrained(base, folder)
        parity = model.require_parity(f"{self.weights} folder", model.answers(loaded.eval(), tokenizer))
        return {"weights": self.weights, "parity": asdict(parity)}


def link_or_copy(source: Path, target: Path) -> None:
    """The same bytes at another path; stored once where the file system can."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _not_merged(method: "AnyMethod") -> str:
    if method.plain_peft:
        return f"{method.kind} does not merge into a plain model; use deploy.folder.weights: adapter"
    return f"{method.kind} neither merges nor has an adapter that PEFT alone could load; leave folder out"


def _write_adapter(model: ProvenModel, folder: Path) -> None:
    from luthier.digest import file_digest
    from luthier.packaging.merging import ADAPTER_FILES

    for name in ADAPTER_FILES:
        shutil.copyfile(model.tuned / name, folder / name)
    provenance = json.loads((model.base / "facts.json").read_text())["provenance"]
    weights = {path.name: file_digest(path) for path in sorted(model.base.glob("*.safetensors"))}
    (folder / BASE).write_text(json.dumps({**provenance, "weights": weights}, indent=2))
    path = folder / "adapter_config.json"
    name, revision = _reference(provenance)
    config = {**json.loads(path.read_text()), "base_model_name_or_path": name, "revision": revision}
    path.write_text(json.dumps(config, indent=2, sort_keys=True))


def _reference(provenance: Mapping[str, str]) -> tuple[str, str | None]:
    """The base as PEFT names it, with its commit: of the hub it can be fetched, of others it says what to look for."""
    match provenance["scheme"]:
        case "hub":
            return provenance["repository"], provenance["commit"]
        case "wheel":
            return f"wheel://{provenance['name']}=={provenance['version']}/{provenance['member']}", None
        case _:
            return provenance.get("address") or provenance["name"], None
