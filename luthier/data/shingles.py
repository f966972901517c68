"""Texts as sets of 5-character shingles, and how alike two such sets are."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luthier.data.text import BETWEEN
from luthier.errors import DataError

LENGTH = 5
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
PAIRED = np.uint64(0xD1B54A32D192ED03)
NONE = np.uint64(0xFFFFFFFFFFFFFFFF)
CELLS_AT_ONCE = 1 << 20


def shingle_codes(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """A uint64 code for every shingle of every text in turn, and the len(texts) + 1 offsets where each text's begin.

    A shingle that a text repeats stands there again. A text of less than 5 characters is one shingle. Two different
    shingles share a code with a chance of 2 ** -64.
    """
    padded = [text.ljust(LENGTH, "\0") for text in texts]
    lengths = np.fromiter(map(len, padded), np.int64, len(padded))
    characters = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    windows = max(len(characters) - LENGTH + 1, 0)
    codes = np.zeros(windows, np.uint64)
    for position in range(LENGTH):
        codes = codes * MULTIPLIER + characters[position : position + windows]
    whole = np.ones(len(characters), bool)
    for distance in range(1, LENGTH):
        whole[lengths.cumsum() - distance] = False
    return codes[whole[:windows]], np.concatenate([[0], np.cumsum(lengths - LENGTH + 1)])


def key_codes(keys: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """As ``shingle_codes``, of keys that are all texts or all pairs; the two texts of a pair share no code."""
    width = keys[0].count(BETWEEN) + 1 if keys else 1
    if width == 1:
        return shingle_codes(keys)
    texts = [text for key in keys for text in key.split(BETWEEN)]
    codes, offsets = shingle_codes(texts)
    place = np.repeat(np.arange(len(texts)) % width, np.diff(offsets))
    return codes + place.astype(np.uint64) * PAIRED, offsets[::width]


class ShingleSets:
    """How alike two keys of an Arrow column are, which is read where it is needed.

    That is the exact Jaccard similarity of their texts; of pairs that of the texts, or of the pairs' other texts where
    these are less alike: two questions about one text are no near-duplicates.
    """

    def __init__(self, texts: pa.ChunkedArray | pa.Array):
        if texts.null_count:
            raise DataError("near-duplicates need a text in every row", received=f"{texts.null_count} rows without")
        self._chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
        self._starts = np.cumsum([0, *map(len, self._chunks)])
        self._lengths = pc.binary_length(texts).to_numpy()

    def __len__(self) -> int:
        return len(self._lengths)

    def jaccard(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The similarity of row ``a[i]`` and row ``b[i]``: shared shingles by all shingles of the two, as float64."""
        similarity = np.empty(len(a))
        longest = np.maximum(np.maximum(self._lengths[a], self._lengths[b]), LENGTH)
        widths = 2 ** np.ceil(np.log2(longest)).astype(np.int64)
        for width in np.unique(widths):
            alike = np.flatnonzero(widths == width)
            at_once = max(1, CELLS_AT_ONCE // width)
            for start in range(0, len(alike), at_once):
                part = alike[start : start + at_once]
                similarity[part] = self._jaccard(a[part], b[part])
        return similarity

    def _jaccard(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        rows, places = np.unique(np.concatenate([a, b]), return_inverse=True)
        left, right = places.reshape(2, -1)
        texts = zip(*(key.split(BETWEEN) for key in self._keys(rows)), strict=True)
        return np.min([_similarity(part, left, right) for part in texts], axis=0)

    def _keys(self, rows: np.ndarray) -> list[str]:
        """Keys by ascending row; a chunk at a time, for taking from all chunks would copy the whole column."""
        chunks = np.searchsorted(self._starts, rows, side="right") - 1
        return [
            key
            for chunk in np.unique(chunks)
            for key in self._chunks[chunk].take(pa.array(rows[chunks == chunk] - self._starts[chunk])).to_pylist()
        ]


def _similarity(texts: Sequence[str], left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of the texts at ``left[i]`` and ``right[i]``."""
    sets = _code_sets(texts)
    sizes = np.count_nonzero(sets != NONE, axis=1)
    both = np.concatenate([sets[left], sets[right]], axis=1)
    both.sort(axis=1)
    shared = np.count_nonzero((both[:, 1:] == both[:, :-1]) & (both[:, 1:] != NONE), axis=1)
    return shared / (sizes[left] + sizes[right] - shared)


def _code_sets(texts: Sequence[str]) -> np.ndarray:
    """One row of different codes for each text, filled up with ``NONE``."""
    codes, offsets = shingle_codes(texts)
    counts = np.diff(offsets)
    sets = np.full((len(texts), counts.max()), NONE)
    sets[np.arange(counts.max()) < counts[:, None]] = codes
    sets.sort(axis=1)
    sets[:, 1:][sets[:, 1:] == sets[:, :-1]] = NONE
    return sets
