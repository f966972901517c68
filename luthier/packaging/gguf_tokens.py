"""A byte-level BPE tokenizer as llama.cpp describes one."""

import json
from dataclasses import dataclass
from typing import Any, Final

import gguf

from luthier.errors import ModelError

LLAMA3: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BYTES: Final = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
# llama.cpp's names of what splits a text into words.
PRE_TOKENIZERS: Final = {
    "gpt-2": [BYTES],
    "smollm": [{"type": "Digits", "individual_digits": True}, BYTES],
    "llama-bpe": [
        {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False},
        {**BYTES, "use_regex": False},
    ],
}


@dataclass(frozen=True)
class Vocabulary:
    """Every token by its id, what kind it is, the merges in order, and the name of the pre-tokenizer."""

    tokens: list[str]
    types: list[gguf.TokenType]
    merges: list[str]
    pre: str


def vocabulary(tokenizer: Any, *, size: int) -> Vocabulary:
    """The vocabulary for a model of ``size`` embeddings; those without a token get an unused one.

    Raises:
        ModelError: llama.cpp has no name for such a tokenizer.
    """
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    model, splitter = backend["model"], _splitter(backend)
    pre = next((name for name, known in PRE_TOKENIZERS.items() if splitter == known), None)
    # llama.cpp takes whole words that are tokens as they are for this one alone.
    whole = bool(model.get("ignore_merges")) == (pre == "llama-bpe")
    if model["type"] != "BPE" or not model.get("merges") or backend["normalizer"] is not None or not pre or not whole:
        raise ModelError(
            "GGUF by Luthier is for byte-level BPE tokenizers that llama.cpp has a name for",
            where="tokenizer.json",
            received={"model": model["type"], "pre_tokenizer": splitter},
            remedy=f"take a base with one of {', '.join(PRE_TOKENIZERS)}, or leave gguf out of deploy.targets",
        )
    tokens = [f"[PAD{number}]" for number in range(size)]
    types = [gguf.TokenType.UNUSED] * size
    for token, number in tokenizer.get_vocab().items():
        tokens[number], types[number] = token, gguf.TokenType.NORMAL
    for number, added in tokenizer.added_tokens_decoder.items():
        types[number] = gguf.TokenType.CONTROL if added.special else gguf.TokenType.USER_DEFINED
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    return Vocabulary(tokens, types, merges, pre)


def _splitter(backend: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps before BPE, without what only offsets depend on."""
    given = backend["pre_tokenizer"] or {}
    steps = given.get("pretokenizers", [given])
    return [{name: value for name, value in step.items() if name != "trim_offsets"} for step in steps]
