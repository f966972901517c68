"""Summarization: a text, and what it says in short.

A row: ``{"text": "Return the sum of array elements over a given axis. Parameters ...", "label": "Sum an array."}``
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.tasks.chat import USER, Message
from luthier.tasks.conversation_tokens import prompt_tokens
from luthier.tasks.head import Head
from luthier.tasks.language_modeling import LanguageModeling
from luthier.tasks.task import BaselineInputs, Encoded, Predictions
from luthier.tasks.text_pairs import encode_pairs, source_tokens

if TYPE_CHECKING:
    import pyarrow as pa

METRICS = ("rouge_l", "rouge_1", "rouge_2", "chrf", "perplexity")
# A decoder of its own has room for short summaries whatever the length of the text.
SUMMARY_TOKENS = 128
# T5 alone has such a token, and knows its tasks by what stands before a text (Raffel et al. 2020, arXiv 1910.10683).
T5_TOKEN, T5_PREFIX = "<extra_id_0>", "summarize: "


class Summarization(LanguageModeling):
    """Summaries by models that read with an encoder, or are asked for a summary in a conversation.

    Asked, the text has three quarters of ``max_length``, and the summary the rest. With an encoder the text has all of
    it, and the summary a quarter as much again, 128 tokens at least.
    """

    name: ClassVar[str] = "summarization"
    label_kinds: ClassVar[tuple[str, ...]] = ("text",)
    prompt_share: ClassVar[float] = 0.75
    instruction: ClassVar[str] = "Summarize:\n\n"

    def metrics(self, label_kind: str) -> tuple[str, ...]:
        return METRICS

    def head(self, labels: Sequence[str], label_kind: str, *, encoder_decoder: bool) -> Head:
        return Head("seq2seq-lm" if encoder_decoder else "causal-lm")

    def conversations(self, rows: "pa.Table", tokenizer: Any, *, max_length: int) -> list[list[Message]]:
        """A text that is too long loses its end: the instruction stands before it."""
        (around,) = prompt_tokens(tokenizer, [self._request("")])
        texts = _shortened(tokenizer, rows["text"].to_pylist(), int(max_length * self.prompt_share) - len(around))
        return [self._request(text) for text in texts]

    def encode(self, rows: "pa.Table", tokenizer: Any, head: Head, *, max_length: int) -> Encoded:
        if head.kind == "causal-lm":
            return super().encode(rows, tokenizer, head, max_length=max_length)
        targets, longest = rows["label"].to_pylist(), max(SUMMARY_TOKENS, max_length // 4)
        sources = _prefixed(tokenizer, rows)
        return encode_pairs(tokenizer, sources, targets, max_length=max_length, longest_target=longest)

    def prompts(self, rows: "pa.Table", tokenizer: Any, head: Head, *, max_length: int) -> list[list[int]]:
        if head.kind == "causal-lm":
            return super().prompts(rows, tokenizer, head, max_length=max_length)
        return source_tokens(tokenizer, _prefixed(tokenizer, rows), max_length=max_length)

    def ends(self, tokenizer: Any, head: Head) -> Collection[int]:
        return super().ends(tokenizer, head) if head.kind == "causal-lm" else [tokenizer.eos_token_id]

    def baselines(self, given: BaselineInputs) -> Mapping[str, Predictions]:
        """And the first sentence of the text, which for much that is written is a good summary (lead)."""
        import numpy as np

        from luthier.sources.docstring_text import first_sentence

        leads = [first_sentence(text.strip().partition("\n")[0]) for text in given.test["text"].to_pylist()]
        nothing = [np.empty(0, dtype=np.float32)] * len(leads)
        return {"lead": Predictions(leads, nothing), **super().baselines(given)}

    def _request(self, text: str) -> list[Message]:
        return [{"role": USER, "content": self.instruction + text}]


def _prefixed(tokenizer: Any, rows: "pa.Table") -> list[str]:
    prefix = T5_PREFIX if T5_TOKEN in tokenizer.get_vocab() else ""
    return [prefix + text for text in rows["text"].to_pylist()]


def _shortened(tokenizer: Any, texts: Sequence[str], most: int) -> list[str]:
    """The beginning of each text, ``most`` tokens long at most."""
    if not texts:
        return []
    places = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    return [
        text if len(offsets) <= most else text[: offsets[max(most, 1) - 1][1]]
        for text, offsets in zip(texts, places["offset_mapping"], strict=True)
    ]
