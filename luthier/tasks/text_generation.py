"""Text generation: an instruction or a conversation, and what the assistant says next.

A row: ``{"text": "user: Hi", "messages": '[{"role": "user", "content": "Hi"}]', "label": "Hello"}``
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.tasks.chat import USER, Message
from luthier.tasks.head import Head
from luthier.tasks.language_modeling import LanguageModeling

if TYPE_CHECKING:
    import pyarrow as pa

METRICS = ("perplexity", "rouge_l", "rouge_1", "rouge_2", "chrf", "exact_match")


class TextGeneration(LanguageModeling):
    """Conversations as the model's own chat template writes them; loss on each turn of the assistant alone."""

    name: ClassVar[str] = "text-generation"
    label_kinds: ClassVar[tuple[str, ...]] = ("text",)
    prompt_share: ClassVar[float] = 0.25

    def metrics(self, label_kind: str) -> tuple[str, ...]:
        return METRICS

    def head(self, labels: Sequence[str], label_kind: str, *, encoder_decoder: bool) -> Head:
        return Head("causal-lm")

    def conversations(self, rows: "pa.Table", tokenizer: Any, *, max_length: int) -> list[list[Message]]:
        """A text without a conversation is what the user says."""
        return [
            [{"role": USER, "content": text}] if messages is None else json.loads(messages)
            for text, messages in zip(rows["text"].to_pylist(), rows["messages"].to_pylist(), strict=True)
        ]
