"""Several short conversations in one row of a batch, which saves the padding: none of them sees another."""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datasets

PACKABLE_FAMILIES = ("gpt2", "llama", "qwen2")
"""Model families whose attention is kept within a conversation by positions that start again at 0."""


def bins(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Which items share a bin of ``size``: the longest first, each where it leaves the least room (best fit).

    Johnson (1974), "Worst-case performance bounds for simple one-dimensional packing algorithms": at most 11/9 of the
    fewest bins, and one more. An item longer than ``size`` has a bin of its own.
    """
    found: list[list[int]] = []
    room: list[tuple[int, int]] = []
    for item in sorted(range(len(lengths)), key=lambda item: -lengths[item]):
        place = bisect_left(room, (lengths[item], 0))
        if place == len(room):
            found.append([])
            left, chosen = size, len(found) - 1
        else:
            left, chosen = room.pop(place)
        found[chosen].append(item)
        insort(room, (left - lengths[item], chosen))
    return found


def packed(features: "datasets.Dataset", max_length: int) -> "datasets.Dataset":
    """Features of up to ``max_length`` tokens with positions; ``row`` is that of the first conversation in each."""
    import datasets

    ids, labels, rows = (features[name][:] for name in ("input_ids", "labels", "row"))
    shared = bins([len(one) for one in ids], max_length)
    joined = {
        "input_ids": [[token for item in one for token in ids[item]] for one in shared],
        "labels": [[label for item in one for label in labels[item]] for one in shared],
        "position_ids": [[place for item in one for place in range(len(ids[item]))] for one in shared],
    }
    lengths = [len(one) for one in joined["input_ids"]]
    return datasets.Dataset.from_dict({**joined, "row": [rows[one[0]] for one in shared], "length": lengths})


def kept_apart(features: Sequence[Mapping[str, Any]], width: int) -> dict[str, Any]:
    """Model inputs whose positions start again with each conversation, and with the padding up to ``width``.

    Attention is kept within them if there is no attention mask and no cache.
    """
    import torch

    positions = [[*f["position_ids"], *range(width - len(f["position_ids"]))] for f in features]
    return {"position_ids": torch.tensor(positions), "use_cache": False}
