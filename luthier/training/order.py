"""The order in which training rows are read."""

from collections.abc import Callable, Iterator, Sequence

import torch
from transformers.trainer_pt_utils import get_length_grouped_indices


class GroupedByLength(torch.utils.data.Sampler[int]):
    """Rows of similar length together, in an order that the seed and the epoch alone decide.

    transformers' own draws from the global generator, whose state a training that is resumed within an epoch has only
    after the order is drawn: it would go on in another one.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, *, seed: int, epoch: Callable[[], int]) -> None:
        self.lengths, self.batch_size, self.seed, self.epoch = list(lengths), batch_size, seed, epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch())
        return iter(get_length_grouped_indices(self.lengths, self.batch_size, generator=generator))
