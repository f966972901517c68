"""Frozen features of texts: the mean of the last hidden states over each text's tokens."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from luthier.models.loading import encoder_of, load_encoder, load_tokenizer
from luthier.tasks.batches import by_length


class RememberedFeatures:
    """``mean_pooled`` of one model, which reads no text twice."""

    def __init__(self, folder: Path, *, dtype: torch.dtype, max_length: int) -> None:
        self.folder, self.dtype, self.max_length = folder, dtype, max_length
        self.known: dict[str, np.ndarray] = {}

    def of(self, texts: Sequence[str]) -> np.ndarray:
        """Features of shape (texts, hidden size), float32, in the order of ``texts``."""
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            found = mean_pooled(self.folder, new, dtype=self.dtype, max_length=self.max_length)
            self.known.update(zip(new, found, strict=True))
        return np.stack([self.known[text] for text in texts])


def mean_pooled(
    folder: Path, texts: Sequence[str], *, dtype: torch.dtype, max_length: int, batch_size: int = 64
) -> np.ndarray:
    """Features of shape (texts, hidden size), float32, in the order of ``texts``."""
    tokenizer = load_tokenizer(folder)
    encoder = encoder_of(load_encoder(folder, dtype=dtype, attention="eager").eval())
    tokens = tokenizer(list(texts), truncation=True, max_length=max_length)
    features = np.empty((len(texts), encoder.config.hidden_size), dtype=np.float32)
    columns = {name: tokens[name] for name in ("input_ids", "attention_mask")}
    device = next(encoder.parameters()).device
    with torch.inference_mode():
        for rows, batch in by_length(tokenizer, columns, batch_size, device):
            hidden = encoder(**batch).last_hidden_state.float()
            mask = batch["attention_mask"].unsqueeze(-1)
            features[rows] = ((hidden * mask).sum(dim=1) / mask.sum(dim=1)).cpu().numpy()
    return features
