"""What a text is by its content: 128-bit digests, and seeded ranks that follow from them."""

import hashlib
from collections.abc import Iterable

import numpy as np

DIGEST_BYTES = 16


def digests(texts: Iterable[str]) -> np.ndarray:
    """BLAKE2b of every text as two uint64, shape (texts, 2)."""
    joined = b"".join(hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest() for text in texts)
    return np.frombuffer(joined, dtype="<u8").reshape(-1, 2)


def ranks(content: np.ndarray, purpose: str) -> np.ndarray:
    """A uint64 for every digest, uniform and, for another ``purpose``, independent: SplitMix64 of the digest.

    It follows from the content alone, so that no row's rank depends on the rows beside it.
    """
    salt = np.frombuffer(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), dtype="<u8")[0]
    with np.errstate(over="ignore"):
        mixed = (content[:, 0] ^ salt) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def same(content: np.ndarray) -> np.ndarray:
    """For every digest the index of the first that equals it."""
    order = np.lexsort((np.arange(len(content)), content[:, 1], content[:, 0]))
    ordered = content[order]
    starts = np.ones(len(content), dtype=bool)
    starts[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.empty(len(content), dtype=np.int64)
    first[order] = order[starts][np.cumsum(starts) - 1]
    return first
