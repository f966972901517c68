import json
import logging
import random
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.data_report.lengths import BINS, evenly_spaced, token_lengths
from luthier.models.loading import load_tokenizer

Write = Callable[..., Path]
SPECIAL = 2


def test_what_is_over_and_lost_is_what_the_tokenizer_cuts(split_of_lengths: Write, tiny_bert: Path) -> None:
    words = random.Random(1).choices(range(1, 40), k=300)
    folder = split_of_lengths(train=words, validation=[3, 4], test=[30, 31])
    found = token_lengths(folder, tiny_bert, max_length=16)
    tokenizer = load_tokenizer(tiny_bert)
    for split, lengths in found.items():
        texts = pq.read_table(folder / f"{split}.parquet")["text"].to_pylist()
        whole = [len(ids) for ids in tokenizer(texts)["input_ids"]]
        cut = [len(ids) for ids in tokenizer(texts, truncation=True, max_length=16)["input_ids"]]
        assert (lengths.rows, lengths.tokens, lengths.longest) == (len(texts), sum(whole), max(whole))
        assert lengths.lost == sum(whole) - sum(cut)
        assert lengths.over == sum(a != b for a, b in zip(whole, cut, strict=True))
        assert lengths.estimated_from is None
    assert (found["validation"].over, found["test"].over) == (0, 2)
    assert found["test"].median == 30.5 + SPECIAL


def test_no_text_is_missing_from_the_histogram_and_one_long_text_does_not_flatten_it(
    split_of_lengths: Write, tiny_bert: Path
) -> None:
    words = [*random.Random(1).choices(range(1, 60), k=400), 5000]
    found = token_lengths(split_of_lengths(train=words), tiny_bert, max_length=64)
    assert len({lengths.edges for lengths in found.values()}) == 1
    for lengths in found.values():
        assert sum(lengths.counts) == lengths.rows
        assert len(lengths.edges) == len(lengths.counts) + 1 <= BINS + 2
    train = found["train"]
    assert train.longest == 5000 + SPECIAL
    assert 64 <= train.edges[-1] < 80
    assert train.counts[-1] == 1
    assert sum(count > 0 for count in train.counts) > 20


def test_a_large_split_is_estimated_from_rows_throughout_and_says_so(split_of_lengths: Write, tiny_bert: Path) -> None:
    words = random.Random(2).choices(range(1, 20), k=1500) + random.Random(3).choices(range(20, 40), k=1500)
    folder = split_of_lengths(train=words)
    exact, found = (token_lengths(folder, tiny_bert, max_length=25, most=most)["train"] for most in (3000, 500))
    assert (exact.estimated_from, found.estimated_from) == (None, 500)
    assert (found.rows, sum(found.counts)) == (3000, 500)
    assert found.tokens == pytest.approx(exact.tokens, rel=0.05)
    assert found.over == pytest.approx(exact.over, rel=0.1)
    assert found.lost == pytest.approx(exact.lost, rel=0.15)


@pytest.mark.parametrize(("rows", "most"), [(1, 5), (5, 5), (7, 5), (3000, 13), (5000, 4999), (2048, 2)])
def test_rows_are_taken_once_from_the_first_on_and_at_even_distances(rows: int, most: int, tmp_path: Path) -> None:
    pq.write_table(pa.table({"row": range(rows), "other": range(rows)}), tmp_path / "a.parquet", row_group_size=700)
    batches = list(evenly_spaced(tmp_path / "a.parquet", ["row"], most))
    taken = [row for batch in batches for row in batch["row"].to_pylist()]
    assert all(batch.num_rows for batch in batches)
    assert len(taken) == min(rows, most)
    assert taken[0] == 0
    gaps = [b - a for a, b in pairwise(taken)]
    assert not gaps or (min(gaps) >= 1 and max(gaps) - min(gaps) <= 1)


def test_an_empty_split_has_lengths_of_nothing(split_of_lengths: Write, tiny_bert: Path) -> None:
    empty = token_lengths(split_of_lengths(test=[]), tiny_bert, max_length=16)["test"]
    assert (empty.rows, empty.tokens, empty.longest, empty.lost, sum(empty.counts)) == (0, 0, 0, 0, 0)
    assert empty.estimated_from is None


def test_a_text_longer_than_the_model_reads_is_counted_without_a_warning(
    split_of_lengths: Write,
    tiny_bert: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_bert, base)
    settings = json.loads((base / "tokenizer_config.json").read_text())
    (base / "tokenizer_config.json").write_text(json.dumps({**settings, "model_max_length": 8}))
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    found = token_lengths(split_of_lengths(train=[200]), base, max_length=8)
    assert found["train"].lost == 200 + SPECIAL - 8
    assert "longer than" not in caplog.text
