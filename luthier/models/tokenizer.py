"""Tokens of texts, counted without a model."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from luthier.models.loading import load_tokenizer


def count_tokens(base: Path, texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[int]:
    """Tokens of every text, or pair of texts, for the snapshot in ``base``: special ones included, nothing cut."""
    others = None if pairs is None else list(pairs)
    tokens = _tokenizer(base)(
        list(texts), others, return_attention_mask=False, return_token_type_ids=False, verbose=False
    )
    return [len(ids) for ids in tokens["input_ids"]]


@cache
def _tokenizer(base: Path) -> Any:
    return load_tokenizer(base)
