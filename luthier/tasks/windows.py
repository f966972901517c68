"""Texts as overlapping windows, each short enough for a model: no part of a long text goes unread."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luthier.errors import ModelError
from luthier.tasks.batches import by_length

if TYPE_CHECKING:
    import torch

Place = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """Model inputs in the order of the texts, and within a text in reading order.

    ``rows`` has the text's number for each window, ``firsts`` the position of its first token of the text, ``offsets``
    the characters [start, end) of the text that each of these tokens stands for.
    """

    inputs: dict[str, list[list[int]]]
    rows: list[int]
    firsts: list[int]
    offsets: list[list[Place]]


def windows(
    tokenizer: Any, texts: Sequence[str], questions: Sequence[str] | None = None, *, max_length: int, overlap: int
) -> Windows:
    """Windows of at most ``max_length`` tokens, neighbours sharing ``overlap`` of the text; questions stand ahead.

    Raises:
        ModelError: a tokenizer that does not say where its tokens stand.
    """
    if not tokenizer.is_fast:
        raise ModelError(
            "the tokenizer does not say where its tokens stand in the text",
            received=type(tokenizer).__name__,
            remedy="take a base model with a tokenizer.json",
        )
    given = [list(texts)] if questions is None else [list(questions), list(texts)]
    side = len(given) - 1
    tokens = tokenizer(
        *given,
        truncation="only_second" if side else True,
        max_length=max_length,
        stride=overlap,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    firsts, offsets = [], []
    for window, places in enumerate(tokens["offset_mapping"]):
        sides = tokens.sequence_ids(window)
        first = sides.index(side) if side in sides else 0
        firsts.append(first)
        offsets.append(places[first : first + sides.count(side)])
    inputs = {name: tokens[name] for name in tokenizer.model_input_names if name in tokens}
    return Windows(inputs, tokens["overflow_to_sample_mapping"], firsts, offsets)


def outputs(
    model: "torch.nn.Module", tokenizer: Any, given: Windows, batch_size: int
) -> Iterator[tuple[list[int], Any]]:
    """What the model puts out for batches of windows of similar length, and which windows these are."""
    import torch

    device = next(model.parameters()).device
    model.eval()
    for chosen, batch in by_length(tokenizer, given.inputs, batch_size, device):
        with torch.inference_mode():
            found = model(**batch)
        yield chosen, found
