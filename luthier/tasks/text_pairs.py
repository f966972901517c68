"""Texts beside what is to be written for them, as tokens for models of an encoder and a decoder."""

from collections.abc import Sequence
from typing import Any

from luthier.tasks.batches import padded_length
from luthier.tasks.task import IGNORED, Collator, Encoded


def source_tokens(tokenizer: Any, texts: Sequence[str], *, max_length: int) -> list[list[int]]:
    """What the encoder reads; a text that is too long loses its end."""
    return tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"] if texts else []


def encode_pairs(
    tokenizer: Any, sources: Sequence[str], targets: Sequence[str | None], *, max_length: int, longest_target: int
) -> Encoded:
    """Features of sources with their targets; None is a row without one. A target that is too long loses its end."""
    rows = [row for row, target in enumerate(targets) if target is not None]
    inputs = source_tokens(tokenizer, [sources[row] for row in rows], max_length=max_length)
    labels = tokenizer(text_target=[targets[row] for row in rows], verbose=False)["input_ids"] if rows else []
    counts = {
        "at_limit": sum(len(ids) >= max_length for ids in inputs),
        "truncated_answers": sum(len(ids) > longest_target for ids in labels),
        "unlearnable": len(targets) - len(rows),
    }
    return Encoded({"input_ids": inputs, "labels": [ids[:longest_target] for ids in labels], "row": rows}, counts)


def pair_collator(tokenizer: Any, config: Any) -> Collator:
    """Pads on the right; the decoder reads the start token and then ``labels`` (rows, tokens), one behind."""
    import torch

    def padded(rows: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
        width = padded_length(max(map(len, rows)))
        return torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows])

    def collate(features: list[dict[str, Any]]) -> dict[str, Any]:
        read, written = ([f[name] for f in features] for name in ("input_ids", "labels"))
        return {
            "input_ids": padded(read, tokenizer.pad_token_id),
            "attention_mask": padded([[1] * len(ids) for ids in read], 0),
            "decoder_input_ids": padded(
                [[config.decoder_start_token_id, *ids[:-1]] for ids in written], tokenizer.pad_token_id
            ),
            "labels": padded(written, IGNORED),
        }

    return collate
