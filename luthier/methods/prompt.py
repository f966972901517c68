"""Prompt tuning: trained embeddings before a text's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from luthier.errors import ModelError
from luthier.methods.method import Mismatch, Range
from luthier.methods.shape import ModelShape
from luthier.methods.virtual_tokens import EmbeddedTokens
from luthier.tasks.head import Head

if TYPE_CHECKING:
    import peft
    import torch


class Prompt(EmbeddedTokens):
    """Prompt tuning (Lester et al. 2021, arXiv 2104.08691).

    The paper trains at 0.3 with Adafactor, whose steps are relative to the weights; with AdamW a tenth of that. It
    needs many epochs, and large models: on small encoders it stays well below other methods.
    """

    kind: Literal["prompt"] = Field(description="Embeddings, trained, before those of a text.")
    init: Literal["random", "vocabulary", "text"] = Field(
        default="vocabulary",
        description="What the embeddings are at the start: drawn at random, those of sampled tokens, or of init_text.",
    )
    init_text: str | None = Field(
        default=None,
        min_length=1,
        max_length=10_000,
        description="The text for init: text; cut, or repeated, to the virtual tokens.",
    )

    training_defaults: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-2, "epochs": 10.0}
    learning_rate_range: ClassVar[tuple[float, float]] = (1e-3, 0.5)
    search_space: ClassVar[Mapping[str, Range | tuple[Any, ...]]] = {
        "training.learning_rate": Range(3e-3, 0.3),
        "method.num_virtual_tokens": (5, 20, 50, 100),
        "method.init": ("random", "vocabulary"),
    }

    def contradictions(self) -> list[Mismatch]:
        """A start from a text that is not given, or a text that nothing starts from."""
        if self.init == "text" and self.init_text is None:
            return [Mismatch("init_text", self.init_text, "is required for init: text")]
        if self.init != "text" and self.init_text is not None:
            return [Mismatch("init_text", self.init_text, "is read with init: text alone")]
        return []

    def trainable_parameters(self, shape: ModelShape) -> int:
        return self.num_virtual_tokens * shape.hidden_size

    def peft_config(self, model: "torch.nn.Module", head: Head) -> "peft.PromptTuningConfig":
        import peft

        init = "SAMPLE_VOCAB" if self.init == "vocabulary" else "RANDOM"
        return peft.PromptTuningConfig(prompt_tuning_init=init, **self.sizes(model, head))

    def attach(self, model: "torch.nn.Module", head: Head) -> "torch.nn.Module":
        embeddings = model.get_input_embeddings().weight.detach().float()
        folder = Path(model.name_or_path)
        model = super().attach(model, head)
        prompt = model.prompt_encoder["default"].embedding.weight
        if self.init == "random":
            # PEFT draws with a deviation of 1, many times that of embeddings, which drowns the text.
            prompt.data.mul_(embeddings.std())
        elif self.init == "text":
            prompt.data.copy_(embeddings[self._text_ids(folder)])
        return model

    def _text_ids(self, folder: Path) -> list[int]:
        from luthier.models.loading import load_tokenizer

        ids = load_tokenizer(folder)(self.init_text, add_special_tokens=False)["input_ids"]
        if not ids:
            raise ModelError("method.init_text has no token", received=self.init_text, remedy="say what the task is")
        return (ids * self.num_virtual_tokens)[: self.num_virtual_tokens]
