"""Embeddings of texts by a base model as it is, for comparing texts with texts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from luthier.errors import ModelError
from luthier.models.features import mean_pooled
from luthier.training.compute import fast_bfloat16


def embeddings(base: Path, texts: Sequence[str], *, max_length: int) -> np.ndarray:
    """Mean-pooled last hidden states, shape (texts, hidden size); float32. Raises ModelError for one not finite."""
    dtype = torch.bfloat16 if fast_bfloat16("cpu") else torch.float32
    features = mean_pooled(base, texts, dtype=dtype, max_length=max_length)
    if not np.isfinite(features).all():
        raise ModelError("the base model gives features that are not finite", where=str(base))
    return features
