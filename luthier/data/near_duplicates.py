"""Near-duplicates: candidates by MinHash and banding, each then compared exactly.

Broder, "On the resemblance and containment of documents" (1997); Leskovec, Rajaraman and Ullman, "Mining of Massive
Datasets", chapter 3. Texts are sets of 5-character shingles, so a pair's similarity is never an estimate; only a pair
that is no candidate can be missed, and at the threshold that is one in 200. Rows of two texts are near when both are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from rensa import RMinHash

from luthier.data.shingles import MULTIPLIER, ShingleSets, key_codes
from luthier.errors import DataError

PERMUTATIONS = 256
RECALL = 0.995
SEED = 17
CROWD = 64
NEIGHBOURS = 4
PAIRS_AT_ONCE = 1 << 16
# For more than some 128 rows rensa starts threads, and a process that is forked after that waits for them for ever.
ROWS_AT_ONCE = 100

Wanted = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Banding:
    """Texts are candidates when all ``rows`` minima of one of ``bands`` bands are the same."""

    rows: int
    bands: int

    @classmethod
    def for_threshold(cls, threshold: float) -> "Banding":
        """As many rows a band as find 99.5 % of the pairs at the threshold with 256 minima at most."""
        for rows in range(PERMUTATIONS, 0, -1):
            for bands in range(1, PERMUTATIONS // rows + 1):
                banding = cls(rows, bands)
                if threshold <= 1 and banding.recall(threshold) >= RECALL:
                    return banding
        raise DataError("near-duplicates cannot be searched for", received=threshold, remedy="use from 0.3 to 1")

    def recall(self, similarity: float) -> float:
        """The chance that a pair of that similarity is a candidate."""
        return 1 - (1 - similarity**self.rows) ** self.bands


@dataclass(frozen=True)
class Pair:
    """Two rows and their similarity."""

    a: int
    b: int
    similarity: float


@dataclass(frozen=True)
class Pairs:
    """Rows ``a < b`` (int64) and their similarity (float32), each pair once, by a and b; ``verified`` were compared.

    ``nearest`` is the most similar pair of those compared, even below the threshold; None when none was.
    """

    a: np.ndarray
    b: np.ndarray
    similarity: np.ndarray
    verified: int
    nearest: Pair | None

    def __len__(self) -> int:
        return len(self.a)


@dataclass(frozen=True)
class DroppedRows:
    """Dropped rows (int64), the kept row that each is most similar to (int64), and how similar (float32)."""

    row: np.ndarray
    near_to: np.ndarray
    similarity: np.ndarray


def across(part: np.ndarray, said: np.ndarray) -> Wanted:
    """Pairs of rows in two parts that do not say the same: rows with one number in ``said`` do."""
    return lambda a, b: (part[a] != part[b]) & (said[a] != said[b])


def band_hashes(texts: Sequence[str], banding: Banding) -> np.ndarray:
    """One uint64 for each text (rows) and band (columns): the same in every process and for every batch."""
    hashes = np.empty((len(texts), banding.bands), np.uint64)
    multipliers = np.cumprod(np.full(banding.rows, MULTIPLIER), dtype=np.uint64)
    for start in range(0, len(texts), ROWS_AT_ONCE):
        codes, offsets = key_codes(texts[start : start + ROWS_AT_ONCE])
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(
            codes, offsets.astype(np.uint64), banding.rows * banding.bands, SEED
        )
        minima = np.array(matrix.to_rows(), np.uint64).reshape(-1, banding.bands, banding.rows)
        hashes[start : start + ROWS_AT_ONCE] = minima @ multipliers
    return hashes


def similar_pairs(
    hashes: np.ndarray,
    texts: pa.ChunkedArray | pa.Array,
    threshold: float,
    *,
    wanted: Wanted | None = None,
    order: np.ndarray | None = None,
) -> Pairs:
    """The similar pairs among normalised ``texts``; ``wanted(a, b)`` masks the candidates worth comparing.

    Of at most 64 rows that agree in a band all pairs are compared; of more, each row and the 4 that follow in the order
    of the next band, which brings similar rows together, where no known pairs connect them. At last the first of all
    connected rows is compared with the others, the first of those not near to it with the rest, and so on, up to 64
    times as many pairs as rows. So few pairs of a crowd are known, but ``kept_apart`` in the same ``order``
    (that of rows, without one) keeps what it would if all were.
    """
    assert len(hashes) == len(texts)
    rows, bands = hashes.shape
    search = _Search(ShingleSets(texts), threshold, wanted, np.arange(rows) if order is None else order)
    crowded, component = np.zeros((rows, bands), bool), np.arange(rows)
    for band in range(bands):
        keys = np.ascontiguousarray(hashes[:, band])
        members = np.argsort(keys)
        size, following = _buckets(keys[members])
        crowd = size > CROWD
        if crowd.any():
            crowded[members[crowd], band] = True
            _connect(search, members[crowd], keys, np.ascontiguousarray(hashes[:, (band + 1) % bands]), component)
            component = search.components()
        for a, b in _neighbours(members[~crowd], following[~crowd], CROWD):
            met = ((hashes[a, :band] == hashes[b, :band]) & ~crowded[a, :band]).any(axis=1)
            linked = (component[a] == component[b]) & crowded[a].any(axis=1) & crowded[b].any(axis=1)
            new = ~(met | linked)
            search.compare(a[new], b[new])
    _compare_with_first(search)
    return search.pairs()


def kept_apart(pairs: Pairs, order: np.ndarray) -> np.ndarray:
    """Which rows stay when, in ``order`` (all rows), each goes that is near to one that stays; a boolean mask."""
    rank = np.argsort(order)
    earlier = np.where(rank[pairs.a] < rank[pairs.b], pairs.a, pairs.b)
    later = pairs.a + pairs.b - earlier
    by_rank = np.argsort(rank[later], kind="stable")
    keep = np.ones(len(order), bool)
    for kept, row in zip(earlier[by_rank].tolist(), later[by_rank].tolist(), strict=True):
        if keep[kept]:
            keep[row] = False
    return keep


def components(rows: int, *links: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """For each row the smallest row that links connect it to, as int64."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    a = np.concatenate([np.empty(0, np.int64), *(link[0] for link in links)])
    b = np.concatenate([np.empty(0, np.int64), *(link[1] for link in links)])
    _, labels = connected_components(coo_array((np.ones(len(a), bool), (a, b)), shape=(rows, rows)), directed=False)
    _, first = np.unique(labels, return_index=True)
    return first[labels]


def dropped_because(pairs: Pairs, keep: np.ndarray) -> DroppedRows:
    """The rows outside ``keep`` that are near to a row inside, ascending; of equally similar ones the first counts."""
    row, near_to = np.concatenate([pairs.a, pairs.b]), np.concatenate([pairs.b, pairs.a])
    similarity = np.tile(pairs.similarity, 2)
    best = np.lexsort((near_to, -similarity, row))
    best = best[~keep[row[best]] & keep[near_to[best]]]
    rows, first = np.unique(row[best], return_index=True)
    return DroppedRows(rows, near_to[best[first]], similarity[best[first]])


class _Search:
    """Compares candidates and remembers the similar ones; ``rank`` is each row's place in the order."""

    def __init__(self, sets: ShingleSets, threshold: float, wanted: Wanted | None, order: np.ndarray):
        self._sets, self._threshold, self._wanted = sets, threshold, wanted
        self._found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))]
        self._verified = 0
        self._nearest: Pair | None = None
        self.rank = np.argsort(order)

    def compare(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """A mask of the pairs that are wanted and similar."""
        a, b = np.minimum(one, other), np.maximum(one, other)
        near = np.ones(len(a), bool) if self._wanted is None else np.array(self._wanted(a, b), bool)
        if near.any():
            near[near] = self._verify(a[near], b[near])
        return near

    def _verify(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        similarity = self._sets.jaccard(a, b)
        near: np.ndarray = similarity >= self._threshold
        self._found.append((a[near], b[near], similarity[near].astype(np.float32)))
        self._verified += len(a)
        top = np.flatnonzero(similarity == similarity.max())
        first = top[np.lexsort((b[top], a[top]))[0]]
        pair = Pair(int(a[first]), int(b[first]), float(similarity[first]))
        self._nearest = min(filter(None, [self._nearest, pair]), key=lambda pair: (-pair.similarity, pair.a, pair.b))
        return near

    def pairs(self) -> Pairs:
        a, b, similarity = (np.concatenate(parts) for parts in zip(*self._found, strict=True))
        _, first = np.unique(a * len(self._sets) + b, return_index=True)
        return Pairs(a[first], b[first], similarity[first], self._verified, self._nearest)

    def components(self) -> np.ndarray:
        return components(len(self._sets), *(found[:2] for found in self._found))


def _connect(
    search: _Search, members: np.ndarray, keys: np.ndarray, next_keys: np.ndarray, component: np.ndarray
) -> None:
    """Compare the members of a bucket with the next ones in the order of the next band, across components."""
    members = members[np.lexsort((search.rank[members], next_keys[members], keys[members]))]
    for a, b in _neighbours(members, _buckets(keys[members])[1], NEIGHBOURS):
        apart = component[a] != component[b]
        search.compare(a[apart], b[apart])


def _compare_with_first(search: _Search) -> None:
    """Compare the first row of each component with the others, then the first of those that are not near, and so on."""
    component = search.components()
    waiting = np.lexsort((search.rank, component))
    compared, most = 0, CROWD * np.count_nonzero(_buckets(component[waiting])[0] > 1)
    while len(waiting) and compared < most:
        size, following = _buckets(component[waiting])
        place = size - 1 - following
        first, others = waiting[np.arange(len(waiting)) - place], place > 0
        near = search.compare(first[others], waiting[others])
        waiting = waiting[others][~near]
        compared += len(near)


def _buckets(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of the sorted keys how many are equal to it, and how many of these come after it."""
    starts = np.flatnonzero(np.concatenate([np.ones(min(len(keys), 1), bool), keys[1:] != keys[:-1]]))
    sizes = np.diff(np.append(starts, len(keys)))
    return np.repeat(sizes, sizes), np.repeat(starts + sizes, sizes) - np.arange(len(keys)) - 1


def _neighbours(members: np.ndarray, following: np.ndarray, furthest: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of members of one bucket that stand at most ``furthest`` places apart, in batches."""
    places = np.arange(len(members))
    for distance in range(1, furthest + 1):
        places = places[following[places] >= distance]
        for start in range(0, len(places), PAIRS_AT_ONCE):
            some = places[start : start + PAIRS_AT_ONCE]
            yield members[some], members[some + distance]
