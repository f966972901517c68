"""GGUF, the file of llama.cpp: a Llama model with its tokenizer and chat template.

github.com/ggml-org/ggml, docs/gguf.md
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from luthier.packaging.targets.target import ProvenModel, Target
from luthier.tasks.head import HeadKind

if TYPE_CHECKING:
    from luthier.methods import AnyMethod
    from luthier.packaging.parity import Parity
    from luthier.packaging.targets.agreement import Agreement

# 11 bits of a weight are kept. Seen on a tuned SmolLM2-135M: up to 2e-3 of the likelihood of a token.
ROUNDED_DIFFERENCE: Final = 0.05


class Gguf(Target):
    """Weights in 32 or 16 bits; llama.cpp's own tools quantize them further."""

    title: ClassVar[str] = "GGUF"
    heads: ClassVar[tuple[HeadKind, ...]] = ("causal-lm",)
    families: ClassVar[tuple[str, ...]] = ("llama",)

    precision: Literal["float32", "float16"] = Field(
        default="float16", description="What the weights of matrices are stored in."
    )
    float16_agreement: float = Field(
        default=0.5, ge=0, le=1, description="Share of texts that float16 must write as the trained model did."
    )

    def method_refusal(self, method: "AnyMethod", *, public_base: bool) -> str | None:
        return None if method.merges else f"{method.kind} does not merge into the one model that GGUF holds"

    def require(self, model: Path) -> None:
        from luthier.packaging.gguf_file import require_llama

        require_llama(model)

    def write(self, model: ProvenModel, folder: Path) -> None:
        from luthier.packaging.gguf_file import write_gguf

        write_gguf(model.folder, folder, name=model.name, precision=self.precision)

    def prove(self, model: ProvenModel, folder: Path) -> Mapping[str, Any]:
        """Read by transformers; the tokenizer, which it reads without what splits texts into words, token by token."""
        from luthier.models.loading import load_tokenizer
        from luthier.packaging.gguf_file import load_gguf, require_tokens

        (file,) = folder.glob("*.gguf")
        require_tokens(file, model.folder)
        found = model.answers(load_gguf(file).eval(), load_tokenizer(model.folder))
        parity: Parity | Agreement
        if self.precision == "float32":
            parity = model.require_parity("GGUF", found)
        else:
            from luthier.packaging.targets.agreement import require_agreement

            parity = require_agreement(
                "GGUF",
                model.serving.head,
                model.expected,
                found,
                share=self.float16_agreement,
                difference=ROUNDED_DIFFERENCE,
                remedy="set deploy.gguf.precision to float32, or loosen float16_agreement",
            )
        return {"file": file.name, "precision": self.precision, "parity": asdict(parity)}
