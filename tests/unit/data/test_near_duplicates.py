import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.data.near_duplicates import (
    Banding,
    Pairs,
    band_hashes,
    components,
    dropped_because,
    kept_apart,
    similar_pairs,
)
from luthier.data.shingles import ShingleSets
from luthier.errors import DataError

WORDS = [hashlib.sha256(b"%d" % number).hexdigest()[: 3 + number % 6] for number in range(3000)]
THRESHOLD = 0.8
BANDING = Banding.for_threshold(THRESHOLD)


def _naive(one: str, other: str) -> float:
    a, b = ({text[i : i + 5] for i in range(max(1, len(text) - 4))} for text in (one, other))
    return len(a & b) / len(a | b)


def _column(texts: Sequence[str], chunk: int = 1000) -> pa.ChunkedArray:
    parts = [pa.array(texts[start : start + chunk], pa.large_string()) for start in range(0, len(texts), chunk)]
    return pa.chunked_array(parts, pa.large_string())


def _search(texts: Sequence[str], threshold: float = THRESHOLD, **options) -> Pairs:
    return similar_pairs(band_hashes(texts, Banding.for_threshold(threshold)), _column(texts), threshold, **options)


def _as_pairs(a: Sequence[int], b: Sequence[int]) -> Pairs:
    return Pairs(np.array(a, np.int64), np.array(b, np.int64), np.ones(len(a), np.float32), len(a), None)


def _texts(rng: np.random.Generator, count: int, words: int = 40) -> list[list[str]]:
    return [[WORDS[at] for at in row] for row in rng.integers(0, len(WORDS), (count, words))]


def _template(rng: np.random.Generator, count: int) -> list[str]:
    frame = " ".join(_texts(rng, 1)[0])
    return [f"{frame[:90]} {' '.join(name)} {frame[90:]}" for name in _texts(rng, count, 3)]


@settings(deadline=None)
@given(st.lists(st.text("aab \xe9\u4e2d\U0001f600", max_size=40), min_size=2, max_size=12), st.integers(1, 5))
def test_a_similarity_is_that_of_the_sets_and_the_same_both_ways(texts: list[str], chunk: int) -> None:
    a, b = np.array(list(combinations(range(len(texts)), 2))).T
    sets = ShingleSets(_column(texts, chunk))
    assert sets.jaccard(a, b).tolist() == [_naive(texts[i], texts[j]) for i, j in zip(a, b, strict=True)]
    assert sets.jaccard(a, b).tolist() == sets.jaccard(b, a).tolist()


def test_a_long_text_is_compared_with_short_ones() -> None:
    texts = ["one short text", " ".join(WORDS * 5), " ".join(WORDS * 5)[50:], "one short test"]
    a, b = np.array(list(combinations(range(4), 2))).T
    found = ShingleSets(_column(texts)).jaccard(a, b)
    assert found.tolist() == [_naive(texts[i], texts[j]) for i, j in zip(a, b, strict=True)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("ab ", min_size=1, max_size=12), max_size=120), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_pairs_are_unique_in_order_and_none_is_below_the_threshold(texts: list[str], threshold: float) -> None:
    pairs = _search(texts, threshold)
    found = list(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True))
    assert found == sorted(set(found)) and all(a < b for a, b in found)
    assert pairs.similarity.tolist() == [np.float32(_naive(texts[a], texts[b])) for a, b in found]
    assert (pairs.similarity >= np.float32(threshold)).all()
    if found:
        assert pairs.nearest and pairs.nearest.similarity == pytest.approx(pairs.similarity.max())


def test_planted_pairs_at_the_threshold_are_found_and_nothing_else() -> None:
    rng = np.random.default_rng(1)
    texts, planted = [], set()
    for words in _texts(rng, 3000):
        changed = words.copy()
        for at in rng.choice(40, rng.integers(1, 5), replace=False):
            changed[at] = WORDS[rng.integers(len(WORDS))]
        one, other = " ".join(words), " ".join(changed)
        if THRESHOLD - 0.1 <= _naive(one, other) <= THRESHOLD + 0.03:
            if _naive(one, other) >= THRESHOLD:
                planted.add((len(texts), len(texts) + 1))
            texts += [one, other]
    pairs = _search(texts)
    found = set(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True))
    assert len(planted) > 300 and found <= planted and len(found) >= 0.99 * len(planted)
    assert len(found) <= pairs.verified <= len(texts)


def test_the_nearest_pair_is_told_even_below_the_threshold() -> None:
    texts = ["a small movie with a big impact", "nothing of that kind", "a small movie with a big heart"]
    pairs = _search(texts, 0.7)
    assert len(pairs) == 0 and pairs.nearest
    assert (pairs.nearest.a, pairs.nearest.b, pairs.nearest.similarity) == (0, 2, _naive(texts[0], texts[2]))
    assert _search(texts[1:]).nearest is None


@pytest.mark.parametrize("texts", [[], ["alone"], ["", "ab"]])
def test_too_little_to_be_alike(texts: list[str]) -> None:
    pairs = _search(texts)
    assert (len(pairs), pairs.verified, pairs.nearest) == (0, 0, None)
    assert kept_apart(pairs, np.arange(len(texts))).all()


def test_only_wanted_pairs_are_compared() -> None:
    texts = _template(np.random.default_rng(2), 400)
    split = np.arange(400) % 4 == 0
    pairs = _search(texts, wanted=lambda a, b: split[a] != split[b])
    assert (split[pairs.a] != split[pairs.b]).all()
    assert set(np.flatnonzero(split)) <= {*pairs.a.tolist(), *pairs.b.tolist()}
    assert _search(texts, wanted=lambda a, b: np.zeros(len(a), bool)).verified == 0


def test_hashes_are_the_same_for_every_batch_process_and_kernel_and_start_no_threads(tmp_path: Path) -> None:
    texts = [" ".join(words) for words in _texts(np.random.default_rng(3), 700)] + ["", "ab", "\xe9\u4e2d\U0001f600"]
    hashes = band_hashes(texts, BANDING)
    assert np.concatenate([band_hashes(texts[:333], BANDING), band_hashes(texts[333:], BANDING)]).tolist() == (
        hashes.tolist()
    )
    (tmp_path / "texts").write_text("\n".join(texts), encoding="utf-8")
    script = (
        "import hashlib, pathlib, psutil, sys; from luthier.data.near_duplicates import Banding, band_hashes\n"
        "texts = pathlib.Path(sys.argv[1]).read_text(encoding='utf-8').split('\\n')\n"
        "threads = psutil.Process().num_threads()\n"
        "print(hashlib.sha256(band_hashes(texts, Banding.for_threshold(0.8)).tobytes()).hexdigest())\n"
        "print(psutil.Process().num_threads() - threads)"
    )
    environment = {**os.environ, "RENSA_FORCE_KERNEL": "scalar", "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", script, str(tmp_path / "texts")]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert printed == [hashlib.sha256(hashes.tobytes()).hexdigest(), "0"]


def test_hashes_and_texts_may_stay_on_disk(tmp_path: Path) -> None:
    texts = _template(np.random.default_rng(4), 300)
    np.save(tmp_path / "hashes.npy", band_hashes(texts, BANDING))
    with pa.OSFile(str(tmp_path / "texts.arrow"), "wb") as file, pa.ipc.new_file(file, _table(texts).schema) as writer:
        writer.write_table(_table(texts), max_chunksize=64)
    column = pa.ipc.open_file(pa.memory_map(str(tmp_path / "texts.arrow"))).read_all()["text"]
    pairs = similar_pairs(np.load(tmp_path / "hashes.npy", mmap_mode="r"), column, THRESHOLD)
    assert (pairs.a.tolist(), pairs.b.tolist()) == (_search(texts).a.tolist(), _search(texts).b.tolist())


def _table(texts: list[str]) -> pa.Table:
    return pa.table({"text": _column(texts)})


def test_a_crowd_of_near_duplicates_is_linked_with_few_comparisons() -> None:
    rows = 20_000
    texts = _template(np.random.default_rng(5), rows)
    pairs = _search(texts)
    assert pairs.verified < 30 * rows
    assert (components(rows, (pairs.a, pairs.b)) == 0).all()


@pytest.mark.parametrize("seed", [6, 7, 8])
def test_of_a_crowd_in_any_order_those_stay_that_would_stay_if_all_pairs_were_known(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = [*_template(rng, 300), *_template(rng, 200), *[" ".join(words) for words in _texts(rng, 50)]]
    order = rng.permutation(len(texts))
    kept: list[int] = []
    for row in order:
        if all(_naive(texts[row], texts[other]) < THRESHOLD for other in kept):
            kept.append(row)
    assert np.flatnonzero(kept_apart(_search(texts, order=order), order)).tolist() == sorted(kept)


LINKS = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)).filter(lambda link: link[0] < link[1]), unique=True)


@settings(deadline=None)
@given(LINKS, st.permutations(range(20)))
def test_a_row_goes_exactly_when_it_is_near_to_one_kept_before(links: list[tuple[int, int]], order: list[int]) -> None:
    keep = kept_apart(_as_pairs([a for a, _ in links], [b for _, b in links]), np.array(order))
    for at, row in enumerate(order):
        before = [other for other in order[:at] if (min(row, other), max(row, other)) in links]
        assert keep[row] == (not keep[before].any())


@settings(deadline=None)
@given(LINKS)
def test_a_component_is_named_after_its_smallest_row(links: list[tuple[int, int]]) -> None:
    smallest = list(range(20))
    for _ in smallest:
        for a, b in links:
            smallest[a] = smallest[b] = min(smallest[a], smallest[b])
    half = len(links) // 2
    parts = [np.array(part, np.int64).reshape(-1, 2).T for part in (links[:half], links[half:])]
    assert components(20, *((a, b) for a, b in parts)).tolist() == smallest


def test_no_links_and_no_rows() -> None:
    assert components(3).tolist() == [0, 1, 2]
    assert components(0).tolist() == []


def test_a_dropped_row_is_told_the_kept_row_that_it_is_most_similar_to() -> None:
    similarity = np.array([0.9, 0.8, 0.95, 0.8, 0.9], np.float32)
    a, b = np.array([0, 0, 1, 2, 3]), np.array([1, 4, 2, 4, 4])
    keep = np.array([True, False, True, True, False, False])
    dropped = dropped_because(Pairs(a, b, similarity, 5, None), keep)
    assert (dropped.row.tolist(), dropped.near_to.tolist()) == ([1, 4], [2, 3])
    assert dropped.similarity.tolist() == [np.float32(0.95), np.float32(0.9)]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9, 0.99, 1.0])
def test_a_banding_finds_what_is_at_its_threshold_with_as_many_rows_as_can_be(threshold: float) -> None:
    banding = Banding.for_threshold(threshold)
    assert banding.recall(threshold) >= 0.995 and banding.rows * banding.bands <= 256
    longer = banding.rows + 1
    assert banding.rows == 256 or Banding(longer, 256 // longer).recall(threshold) < 0.995
    assert banding.recall(threshold / 2) < banding.recall(threshold)


@pytest.mark.parametrize("threshold", [0, 0.01, 1.5, float("nan")])
def test_no_banding_for_such_a_threshold(threshold: float) -> None:
    with pytest.raises(DataError, match="cannot be searched") as raised:
        Banding.for_threshold(threshold)
    assert raised.value.remedy


def test_a_row_without_a_text_is_refused() -> None:
    with pytest.raises(DataError, match="a text in every row"):
        similar_pairs(band_hashes(["a", ""], BANDING), pa.array(["a", None], pa.large_string()), THRESHOLD)
