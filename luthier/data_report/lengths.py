"""How many tokens the texts of each split have, and what truncation takes from them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.clean_table import texts_of
from luthier.data.splitting import SPLITS

ROWS_AT_ONCE = 1024
BINS = 40


@dataclass(frozen=True)
class Lengths:
    """The tokens of one split's texts, with their pairs and special tokens.

    ``over`` counts texts longer than the model reads and ``lost`` the tokens that they lose. ``counts`` is a histogram
    over ``edges``, the same for all splits; its last bin also holds whatever is longer. Where ``estimated_from`` rows
    stand for all, ``tokens``, ``over`` and ``lost`` are scaled up from these, and all else describes these only.
    """

    rows: int
    tokens: int
    median: float
    p95: float
    longest: int
    over: int
    lost: int
    edges: tuple[int, ...]
    counts: tuple[int, ...]
    estimated_from: int | None


def token_lengths(splits: Path, base: Path, *, max_length: int, most: int = 200_000) -> dict[str, Lengths]:
    """Count the tokens of every split with the tokenizer of ``base``; of at most ``most`` rows each, evenly spaced."""
    from luthier.models.tokenizer import count_tokens

    count: Callable[..., list[int]] = partial(count_tokens, base)
    found: dict[str, Lengths] = {}
    measured: dict[str, np.ndarray] = {}
    for name in SPLITS:
        path = splits / f"{name}.parquet"
        batches = evenly_spaced(path, ["text", "pair"], most)
        tokens = [length for batch in batches for length in count(*texts_of(batch))]
        measured[name] = np.array(tokens, dtype=np.int64)
        found[name] = _described(measured[name], pq.read_metadata(path).num_rows, max_length)
    edges = common_edges(list(measured.values()), max_length)
    return {
        name: replace(lengths, edges=tuple(edges.tolist()), counts=tuple(_counted(measured[name], edges).tolist()))
        for name, lengths in found.items()
    }


def evenly_spaced(path: Path, columns: list[str], most: int) -> Iterator[pa.RecordBatch]:
    """At most ``most`` rows of a Parquet file, from its first on at even distances, never empty batches."""
    with pq.ParquetFile(path) as file:
        rows, start = file.metadata.num_rows, 0
        wanted = np.arange(min(most, rows)) * rows // max(min(most, rows), 1)
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns):
            first, last = np.searchsorted(wanted, [start, start + batch.num_rows])
            if first < last:
                yield batch.take(pa.array(wanted[first:last] - start))
            start += batch.num_rows


def common_edges(lengths: list[np.ndarray], max_length: int) -> np.ndarray:
    """Edges of about 40 bins of whole tokens, up to where nearly all texts of every split end.

    ``max_length`` lies within unless the texts are much shorter.
    """
    top = max([1, *(np.quantile(tokens, 0.99) for tokens in lengths if len(tokens))])
    if top < max_length <= 2 * top:
        top = max_length
    width = int(np.ceil((top + 1) / BINS))
    return np.arange(int(np.ceil((top + 1) / width)) + 1) * width


def _described(tokens: np.ndarray, rows: int, max_length: int) -> Lengths:
    scale = rows / max(len(tokens), 1)
    median, p95 = np.quantile(tokens, [0.5, 0.95]) if rows else (0.0, 0.0)
    return Lengths(
        rows=rows,
        tokens=round(scale * int(tokens.sum())),
        median=float(median),
        p95=float(p95),
        longest=int(tokens.max(initial=0)),
        over=round(scale * int((tokens > max_length).sum())),
        lost=round(scale * int(np.maximum(tokens - max_length, 0).sum())),
        edges=(),
        counts=(),
        estimated_from=len(tokens) if len(tokens) < rows else None,
    )


def _counted(tokens: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.histogram(np.minimum(tokens, edges[-1] - 1), bins=edges)[0]
