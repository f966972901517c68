"""The search for leaks and gaps: reads the splits that were written, and starts from their texts alone.

A leak is a row of a later split that an earlier one gives away: the same text, the same but for case, punctuation and
spacing, nearly the same, the same group, or the answer to a row in another row's prompt. Where rows are pairs, all of
this is said of both texts together.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from luthier.data.answers import answers_in_prompts
from luthier.data.content import digests, same
from luthier.data.near_duplicates import Banding, across, band_hashes, similar_pairs
from luthier.data.splitting import SPLITS
from luthier.data.tables import read_facts
from luthier.data.text import BETWEEN, joined, key_of, normalised
from luthier.data.workers import ROWS_AT_ONCE, in_order

EXAMPLES_OF_A_KIND = 5
SHARED_CONTEXTS = "contexts in two splits"
Found = list[tuple[int, int, float | None]]


@dataclass(frozen=True)
class Leak:
    """A row of ``split_b`` that one of ``split_a`` gives away; ``similarity`` is Jaccard's, of 5-character shingles."""

    kind: str
    split_a: str
    row_a: int | None
    text_a: str
    split_b: str
    row_b: int | None
    text_b: str
    similarity: float | None = None


@dataclass(frozen=True)
class LeakSearch:
    """``counts``: leaked rows by kind and pair of splits; ``nearest``: the most alike pair that is no leak.

    ``contexts`` counts the texts of several splits that are asked different questions, which is no leak; None where
    no questions are asked.
    """

    counts: dict[str, dict[str, int]]
    examples: list[Leak]
    nearest: Leak | None
    rows: dict[str, int]
    threshold: float
    contexts: int | None

    def as_json(self) -> dict[str, Any]:
        """What a data report takes."""
        found = asdict(self)
        compared = {**found.pop("rows"), "similarity from": found.pop("threshold")}
        contexts = found.pop("contexts")
        return {**found, "compared": compared if contexts is None else {**compared, SHARED_CONTEXTS: contexts}}


@dataclass(frozen=True)
class Keyed:
    """The keys of one batch of rows with what is compared of them."""

    keys: pa.Array
    exact: np.ndarray
    normalised: np.ndarray
    bands: np.ndarray


@dataclass(frozen=True)
class KeyBatch:
    """Makes the keys of a batch of texts and their pairs; sent to worker processes."""

    banding: Banding

    def __call__(self, batch: tuple[pa.Array, pa.Array]) -> Keyed:
        texts, pairs = (column.to_pylist() for column in batch)
        keys = list(map(key_of, texts, pairs))
        exact = digests(map(joined, texts, pairs))
        return Keyed(pa.array(keys, pa.large_string()), exact, digests(keys), band_hashes(keys, self.banding))


class SplitRows:
    """The rows of all splits after each other: train, validation, test."""

    def __init__(self, folder: Path, threshold: float) -> None:
        tables = [pq.read_table(folder / f"{name}.parquet", memory_map=True) for name in SPLITS]
        self.table = pa.concat_tables(tables)
        self.split = np.repeat(range(len(SPLITS)), [table.num_rows for table in tables])
        batches = [batch for table in tables for batch in _batches(table)]
        keyed = list(in_order(KeyBatch(Banding.for_threshold(threshold)), batches, rows=len(self.split)))
        self.keys = pa.chunked_array([part.keys for part in keyed], pa.large_string())
        self.exact = np.concatenate([digests([]), *(part.exact for part in keyed)])
        self.normalised = np.concatenate([digests([]), *(part.normalised for part in keyed)])
        self.bands = np.concatenate([band_hashes([], Banding.for_threshold(threshold)), *(p.bands for p in keyed)])

    def leak(self, kind: str, a: int, b: int, similarity: float | None = None) -> Leak:
        """A leak between two rows, told from the earlier split to the later."""
        said, split = (self._said(a), self._said(b)), (SPLITS[self.split[a]], SPLITS[self.split[b]])
        return Leak(kind, split[0], *said[0], split[1], *said[1], similarity)

    def shared_texts(self) -> int:
        """How many normalised texts, apart from their pairs, stand in several splits."""
        ids = same(digests(key.partition(BETWEEN)[0] for chunk in self.keys.chunks for key in chunk.to_pylist()))
        places = np.unique(np.stack([ids, self.split]), axis=1)[0]
        return int((np.bincount(places) > 1).sum())

    def _said(self, index: int) -> tuple[int | None, str]:
        row, text, pair = (self.table[name][int(index)].as_py() for name in ("row", "text", "pair"))
        return row, joined(text, pair)


def find_leaks(folder: Path) -> LeakSearch:
    """Every kind of leak between each pair of splits; near-duplicates from the threshold in the splits' facts."""
    facts = read_facts(folder / "facts.json")
    threshold = facts["near_duplicates"]["threshold"]
    rows = SplitRows(folder, threshold)
    nearest, near = _near(rows, threshold)
    found = {
        "exact": _shared(rows, rows.exact),
        "normalised": _shared(rows, rows.normalised),
        "near-duplicate": near,
        "group": _shared_groups(rows),
        "answer in prompt": _answers(rows) if facts["label_kind"] == "text" else [],
    }
    exact = {(b, SPLITS[rows.split[a]]) for a, b, _ in found["exact"]}
    found["normalised"] = [leak for leak in found["normalised"] if (leak[1], SPLITS[rows.split[leak[0]]]) not in exact]
    counts = {
        kind: dict(Counter(f"{SPLITS[rows.split[a]]}/{SPLITS[rows.split[b]]}" for a, b, _ in leaks))
        for kind, leaks in found.items()
    }
    examples = [rows.leak(kind, *leak) for kind, leaks in found.items() for leak in leaks[:EXAMPLES_OF_A_KIND]]
    sizes = {name: int((rows.split == number).sum()) for number, name in enumerate(SPLITS)}
    contexts = rows.shared_texts() if facts["label_kind"] == "answers" else None
    return LeakSearch(counts, examples, nearest, sizes, threshold, contexts)


def _shared(rows: SplitRows, content: np.ndarray) -> Found:
    """Rows of a later split whose content an earlier one has too, each beside the first row there that has it."""
    return _in_two_splits(rows, same(content))


def _shared_groups(rows: SplitRows) -> Found:
    groups = pc.dictionary_encode(rows.table["group"].combine_chunks()).indices
    return _in_two_splits(rows, groups.fill_null(-1).to_numpy())


def _in_two_splits(rows: SplitRows, ids: np.ndarray) -> Found:
    """``ids`` number what rows have in common; -1 is nothing."""
    found: Found = []
    for a, b in combinations(range(len(SPLITS)), 2):
        earlier, later = (np.flatnonzero((rows.split == split) & (ids >= 0)) for split in (a, b))
        first = np.full(ids.max(initial=0) + 1, -1)
        first[ids[earlier][::-1]] = earlier[::-1]
        twins = first[ids[later]]
        found += [(int(twin), int(row), None) for twin, row in zip(twins, later, strict=True) if twin >= 0]
    return found


def _near(rows: SplitRows, threshold: float) -> tuple[Leak | None, Found]:
    """Near-duplicates across splits that are no duplicates, and the most alike pair that was compared."""
    wanted = across(rows.split, same(rows.normalised))
    pairs = similar_pairs(rows.bands, rows.keys, threshold, wanted=wanted)
    top = pairs.nearest
    nearest = None if top is None else rows.leak("nearest", top.a, top.b, top.similarity)
    return nearest, list(zip(pairs.a.tolist(), pairs.b.tolist(), map(float, pairs.similarity), strict=True))


def _answers(rows: SplitRows) -> Found:
    """Answers to rows of a later split that stand in the prompts of an earlier one."""
    answers = [normalised(text or "") for text in rows.table["label"].to_pylist()]
    found: Found = []
    for a, b in combinations(range(len(SPLITS)), 2):
        earlier, later = (np.flatnonzero(rows.split == split) for split in (a, b))
        prompts = rows.keys.take(earlier).to_pylist()
        given_away = answers_in_prompts(prompts, [answers[row] for row in later])
        found += [(int(earlier[prompt]), int(later[answer]), None) for prompt, answer in given_away]
    return found


def _batches(rows: pa.Table) -> Iterator[tuple[pa.Array, pa.Array]]:
    """Texts and pairs, some at a time, in arrays of their own: a slice would take all of its column to a worker."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows.slice(start, ROWS_AT_ONCE)
        yield pa.concat_arrays(some["text"].chunks), pa.concat_arrays(some["pair"].chunks)


def labels_complete(folder: Path) -> list[str]:
    """What is wrong with the labels: a split that lacks one, a row without, an id that is not its label's."""
    facts = read_facts(folder / "facts.json")
    if facts["label_kind"] != "single":
        return []
    return [problem for name in SPLITS for problem in _label_problems(folder, name, facts["labels"])]


def _label_problems(folder: Path, split: str, labels: list[str]) -> Iterator[str]:
    table = pq.read_table(folder / f"{split}.parquet", columns=["row", "label", "label_id"])
    unlabelled = pc.or_(pc.is_null(table["label"]), pc.is_null(table["label_id"]))
    if count := pc.sum(unlabelled).as_py():
        yield f"{split}: {count} rows without a label"
    present = set(table["label"].unique().drop_null().to_pylist())
    yield from (f"{split}: no row of label {label!r}" for label in labels if label not in present)
    yield from (f"{split}: label {label!r} is unknown" for label in sorted(present - set(labels)))
    expected = pc.index_in(table["label"], value_set=pa.array(labels, pa.string()))
    wrong = table.filter(pc.not_equal(table["label_id"], expected.cast(pa.int64())))
    if len(wrong):
        yield f"{split}: {len(wrong)} rows whose label_id is not their label's, row {wrong['row'][0]} first"
