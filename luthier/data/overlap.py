"""Rows of a table that say what rows of other tables say: by the same rules as duplicates within one data set."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from luthier.data.content import digests
from luthier.data.near_duplicates import Banding, band_hashes, similar_pairs
from luthier.data.text import key_of


def said_before(rows: pa.Table, earlier: Sequence[pa.Table], threshold: float) -> np.ndarray:
    """Which of ``rows`` have the normalised text of an earlier row, or nearly so (rows,), bool.

    Tables have the columns ``text`` and ``pair`` of a split; near is a Jaccard similarity from ``threshold`` on.
    """
    new, known = _keys(rows), [key for table in earlier for key in _keys(table)]
    found = np.isin(_whole(new), _whole(known))
    banding = Banding.for_threshold(threshold)
    pairs = similar_pairs(
        np.concatenate([band_hashes(keys, banding) for keys in (new, known)]),
        pa.array([*new, *known], pa.large_string()),
        threshold,
        wanted=lambda a, b: (a < len(new)) != (b < len(new)),
    )
    # Of a pair that was wanted, the lower index is the new row's.
    found[np.minimum(pairs.a, pairs.b)] = True
    return found


def _keys(rows: pa.Table) -> list[str]:
    return list(map(key_of, rows["text"].to_pylist(), rows["pair"].to_pylist()))


def _whole(keys: Sequence[str]) -> np.ndarray:
    """The digests as one value each."""
    return np.ascontiguousarray(digests(keys)).view("V16").reshape(-1)
