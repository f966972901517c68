"""How likely a model finds the tokens that are wanted of it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from luthier.tasks.task import IGNORED, Collator

if TYPE_CHECKING:
    import numpy as np
    import torch

# Numbers of a batch's logits: a quarter of a gigabyte of float32, and twice as much again while their softmax is taken.
LOGITS_IN_MEMORY = 2**26


def token_losses(logits: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
    """The negative log-likelihood of each label (rows, places), 0 where there is none; logits have one axis more."""
    import torch
    from torch.nn import functional

    given = labels.ne(IGNORED)
    losses = torch.zeros(labels.shape, device=logits.device)
    losses[given] = functional.cross_entropy(logits[given].float(), labels[given], reduction="none")
    return losses


def answer_losses(
    model: "torch.nn.Module", collate: Collator, columns: Mapping[str, Sequence[Any]], batch_size: int
) -> "list[np.ndarray]":
    """The negative log-likelihood of every label of each feature, in its order; batched by length."""
    import numpy as np
    import torch

    features = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    found = [np.empty(0, dtype=np.float32)] * len(features)
    device = next(model.parameters()).device
    model.eval()
    for chosen in _batches([max(len(f["input_ids"]), len(f["labels"])) for f in features], batch_size, model):
        batch = {name: tensor.to(device) for name, tensor in collate([features[place] for place in chosen]).items()}
        labels = batch.pop("labels")
        with torch.inference_mode():
            losses = token_losses(model(**batch, use_cache=False).logits, labels).cpu()
        for place, row, given in zip(chosen, losses, labels.ne(IGNORED).cpu(), strict=True):
            found[place] = row[given].numpy()
    return found


def _batches(lengths: Sequence[int], batch_size: int, model: Any) -> list[list[int]]:
    """Neighbours by length, in batches whose logits fit into memory."""
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        fitting = LOGITS_IN_MEMORY // (lengths[batches[-1][0]] * model.config.vocab_size) if batches else 0
        if not batches or len(batches[-1]) >= min(batch_size, max(1, fitting)):
            batches.append([])
        batches[-1].append(place)
    return batches
