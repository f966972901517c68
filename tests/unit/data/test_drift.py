"""A planted change of labels, lengths or words is found, and only it; rows alike are called alike."""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.data.drift import ASPECTS, Drift, drift_between, read_drift, write_drift
from luthier.data.new_rows import content_of, lacking
from luthier.data.splits import split_schema
from luthier.recipe.drift_section import DriftSection
from tests.conftest import BAD, GOOD, PLAIN

Row = dict[str, Any]
THRESHOLDS = DriftSection().model_dump()


def rows(count: int, *, seed: int, positive: float = 0.5, words: int = 7, plain: Sequence[str] = PLAIN) -> list[Row]:
    """Texts that no other seed makes, with the label that follows from two of their words."""
    generator = random.Random(seed)
    made = []
    for _ in range(count):
        label = "good" if generator.random() < positive else "bad"
        chosen = [generator.choice(plain) for _ in range(words - 2 + generator.randrange(3))]
        chosen += generator.sample(GOOD if label == "good" else BAD, 2)
        generator.shuffle(chosen)
        made.append({"text": f"{' '.join(chosen)} {generator.randrange(10**9)}", "label": label})
    return made


@pytest.fixture
def splits(tmp_path: Path) -> Callable[..., Path]:
    """Writes splits, three quarters of the rows to train; ``made`` are rows made from others."""

    def _splits(name: str, given: list[Row], *, kind: str = "single", made: Sequence[Row] = ()) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        schema = split_schema(kind)
        cut = len(given) * 3 // 4
        added = [{**row, "augmentation": "swap"} for row in made]
        for split, part in (("train", [*given[:cut], *added]), ("validation", given[cut:]), ("test", [])):
            full = [dict.fromkeys(schema.names) | row for row in part]
            pq.write_table(pa.Table.from_pylist(full, schema), folder / f"{split}.parquet")
        (folder / "facts.json").write_text(json.dumps({"label_kind": kind}))
        return folder

    return _splits


@pytest.fixture
def compare(splits, tiny_bert) -> Callable[..., Drift]:
    """Splits with rows that the champion has and ``new`` ones, compared with the champion's."""

    def _compare(new: list[Row], old: list[Row] | None = None, *, kind: str = "single", aspects=ASPECTS) -> Drift:
        before = old or rows(400, seed=1)
        champion = splits("champion", before, kind=kind)
        return drift_between(
            splits("new", [*before, *new], kind=kind), champion, tiny_bert, aspects=aspects, max_length=32
        )

    return _compare


def drifted(found: Drift) -> set[str]:
    return {each.aspect for each in found.differences if each.exceeds(THRESHOLDS[each.aspect])}


@pytest.mark.parametrize("count", [30, 200])
def test_rows_of_the_same_kind_are_alike(compare, count):
    found = compare(rows(count, seed=2))
    assert (found.new_rows, found.champion_rows) == (count, 300)
    assert drifted(found) == set()
    assert [each.aspect for each in found.differences] == list(ASPECTS)


def test_other_shares_of_the_labels_are_found_and_named(compare):
    found = compare(rows(200, seed=2, positive=0.9))
    assert "label_share" in drifted(found) and "length" not in drifted(found)
    label = found.differences[0]
    assert label.value == pytest.approx(0.4, abs=0.1) and "good" in label.said and "→" in label.said


def test_longer_texts_are_found(compare):
    found = compare(rows(200, seed=2, words=10))
    assert "length" in drifted(found) and "label_share" not in drifted(found)
    assert "median" in found.differences[1].said


def test_other_words_are_found_and_the_texts_that_have_them_are_shown(compare):
    found = compare(rows(100, seed=2) + rows(100, seed=3, plain=["sound", "house"]))
    assert drifted(found) <= {"embedding"}
    assert found.differences[-1].value > 0.6
    shown = [text for text in found.examples if set(text.split()) & set(PLAIN) <= {"sound", "house"}]
    assert len(shown) >= 4


def test_a_great_difference_between_few_rows_is_no_drift(compare):
    found = compare(rows(4, seed=2, positive=1.0, words=8))
    label, length, embedding = found.differences
    assert label.value > THRESHOLDS["label_share"] and length.value > THRESHOLDS["length"]
    assert embedding.value is None and "too few" in embedding.said
    assert drifted(found) == set()


def test_new_rows_that_are_all_in_the_test_split_are_found_and_those_that_moved_from_there_are_not_new(
    splits, tiny_bert
):
    before, moved, new = rows(400, seed=1), rows(40, seed=4, words=10), rows(200, seed=2, words=10)
    champion, now = splits("champion", before), splits("now", [*before, *moved])
    schema = split_schema("single")
    for folder, tested in ((champion, moved), (now, new)):
        full = [dict.fromkeys(schema.names) | row for row in tested]
        pq.write_table(pa.Table.from_pylist(full, schema), folder / "test.parquet")
    found = drift_between(now, champion, tiny_bert, aspects=["length"], max_length=32)
    assert found.new_rows == 200 and drifted(found) == {"length"}


def test_only_what_is_asked_for_is_compared(compare):
    assert [each.aspect for each in compare(rows(50, seed=2), aspects=["length"]).differences] == ["length"]


def test_a_row_is_new_when_its_text_or_its_label_is(splits):
    old = rows(40, seed=1)
    relabelled = {**old[0], "label": "bad" if old[0]["label"] == "good" else "good"}
    champion, new = splits("champion", old), splits("new", [old[39], relabelled, *rows(2, seed=2), *old[1:9]])
    assert lacking(content_of(new), content_of(champion)).tolist() == [False, True, True, True, *[False] * 8]


def test_rows_that_were_made_from_others_count_on_neither_side(splits, tiny_bert):
    old = rows(100, seed=1)
    champion = splits("champion", old, made=rows(500, seed=5, words=12))
    found = drift_between(
        splits("new", old, made=rows(80, seed=6)), champion, tiny_bert, aspects=ASPECTS, max_length=32
    )
    assert (found.new_rows, found.champion_rows, found.differences) == (0, 75, ())


@pytest.mark.parametrize(
    ("kind", "same", "other"),
    [
        ("number", lambda generator: generator.gauss(0, 1), lambda generator: generator.gauss(2, 1)),
        ("multi", lambda generator: generator.sample(["a", "b", "c"], 2), lambda generator: ["a"]),
        (
            "spans",
            lambda generator: [{"start": 0, "end": 1, "label": generator.choice("ab")}],
            lambda generator: [],
        ),
    ],
)
def test_each_kind_of_label_that_has_shares_or_an_order_is_compared(compare, kind, same, other, splits, tmp_path):
    generator = random.Random(0)
    old = [{**row, "label": same(generator)} for row in rows(400, seed=1)]
    found = compare([{**row, "label": other(generator)} for row in rows(200, seed=2)], old, kind=kind, aspects=ASPECTS)
    assert "label_share" in drifted(found)
    more = [{**row, "label": same(generator)} for row in rows(200, seed=3)]
    again = drift_between(
        splits("alike", [*old, *more], kind=kind),
        tmp_path / "champion",
        tmp_path,
        aspects=["label_share"],
        max_length=8,
    )
    assert again.new_rows == 200 and drifted(again) == set()


def test_texts_to_be_generated_and_labels_of_two_kinds_are_said_to_be_not_compared(compare, splits, tiny_bert):
    (difference,) = compare(rows(50, seed=2), kind="text", aspects=["label_share"]).differences
    assert difference.value is None and difference.said.startswith("not compared: texts to be generated")
    numbers = splits("numbers", [{**row, "label": 1.0} for row in rows(50, seed=2)], kind="number")
    found = drift_between(numbers, splits("names", rows(50, seed=2)), tiny_bert, aspects=ASPECTS, max_length=32)
    assert found.new_rows == 50
    assert "of kind single, these of kind number" in found.differences[0].said


def test_pairs_count_with_their_texts(compare):
    old = [{**row, "pair": "film"} for row in rows(300, seed=1)]
    found = compare([{**row, "pair": "film story scene actor"} for row in rows(150, seed=2)], old)
    assert "length" in drifted(found)


def test_what_is_written_is_read_back(splits, tiny_bert, tmp_path):
    champion, new = splits("champion", rows(60, seed=1)), splits("new", rows(60, seed=2, positive=0.9))
    write_drift(new, champion, tiny_bert, tmp_path, aspects=ASPECTS, max_length=32)
    assert read_drift(tmp_path) == drift_between(new, champion, tiny_bert, aspects=ASPECTS, max_length=32)


def test_a_base_too_great_to_load_for_this_is_left(compare, monkeypatch):
    from luthier.data import drift

    monkeypatch.setattr(drift, "MOST_BYTES", 1000)
    (difference,) = compare(rows(50, seed=2), aspects=["embedding"]).differences
    assert difference.value is None and "more than is loaded for this" in difference.said
