"""Model inputs as padded batches."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import torch

# oneDNN makes kernels for each length of a batch, and keeps them. With AMX those of a hundred lengths took two
# gigabytes; rounded up, a few lengths serve all.
MULTIPLE: Final = 8
# A batch more costs a small model on a CPU as much time as about so many tokens more; a large one less.
TOKENS_OF_A_BATCH: Final = 64


def padded_length(tokens: int) -> int:
    """The length of a batch whose longest row has ``tokens`` tokens."""
    return -(-tokens // MULTIPLE) * MULTIPLE


def longest_fitting(positions: int, virtual_tokens: int) -> int:
    """The most tokens a text may have whose batch fits into a model's positions, behind a method's virtual tokens."""
    return max(0, positions - virtual_tokens) // MULTIPLE * MULTIPLE


def padded(tokenizer: Any, features: Sequence[Mapping[str, Any]]) -> "dict[str, torch.Tensor]":
    """The model's inputs of some features as one batch; what else features have is left out."""
    inputs = [{name: feature[name] for name in tokenizer.model_input_names if name in feature} for feature in features]
    return dict(tokenizer.pad(inputs, return_tensors="pt", pad_to_multiple_of=MULTIPLE))


def without_repeats(inputs: Mapping[str, Sequence[Any]]) -> tuple[dict[str, list[Any]], list[int]]:
    """Each different row of inputs once, in the order they come, and for each row which of them it is."""
    places: dict[Any, int] = {}
    first: list[int] = []
    which: list[int] = []
    for row, key in enumerate(zip(*(map(tuple, values) for values in inputs.values()), strict=True)):
        if key not in places:
            places[key] = len(first)
            first.append(row)
        which.append(places[key])
    return {name: [values[row] for row in first] for name, values in inputs.items()}, which


def by_length(
    tokenizer: Any, inputs: Mapping[str, Sequence[Any]], batch_size: int, device: "torch.device"
) -> "Iterator[tuple[list[int], dict[str, torch.Tensor]]]":
    """Batches of rows of similar length, the shortest first, each with the places of its rows."""
    for chosen in batches_of(list(map(len, inputs["input_ids"])), batch_size):
        batch = padded(tokenizer, [{name: values[row] for name, values in inputs.items()} for row in chosen])
        yield chosen, {name: tensor.to(device) for name, tensor in batch.items()}


def batches_of(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """Rows of these numbers of tokens by length, a batch more where padding would cost more than that."""
    chosen: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if chosen:
            longer = padded_length(lengths[row]) - padded_length(lengths[chosen[-1]])
            if len(chosen) == batch_size or len(chosen) * longer > TOKENS_OF_A_BATCH:
                yield chosen
                chosen = []
        chosen.append(row)
    if chosen:
        yield chosen
