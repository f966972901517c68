"""How rows become splits, and what becomes of those that are in none."""

import json
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest

from luthier.data.clean_table import TokenLimit
from luthier.errors import DataError
from tests.unit.data.conftest import KINDS, SPLITS, leaks, lines

ROWS = lines()
SCORE = {"columns": {"text": "text", "label": "score > 0"}}
SCORED = [{"text": row["text"], "score": "1" if number % 3 else "-1"} for number, row in enumerate(ROWS)]
BAD = [
    {"text": "", "score": "1"},
    {"text": "no label", "score": ""},
    {"text": "no number", "score": "many"},
    {"text": SCORED[1]["text"].upper() + "!", "score": "1"},
    {"text": "both", "score": "1"},
    {"text": "Both!", "score": "-1"},
]


def test_every_row_is_accounted_for(divide) -> None:
    divided = divide([*SCORED, *BAD], spoiled=2, sample=40, **SCORE)
    rows = divided.facts["rows"]
    assert rows["raw"] == 68 == sum(rows[name] for name in (*SPLITS, *KINDS))
    assert (rows["rejected"], rows["duplicates"], rows["not_sampled"]) == (7, 1, 20)
    assert divided.facts["rejected_by_reason"] == {
        "broken JSON": 2,
        "conflicting labels": 2,
        "duplicate": 1,
        "empty text": 1,
        "label not computable": 1,
        "missing label": 1,
    }
    assert divided.facts["bad_share"] == 7 / 68
    assert divided.facts["conflicts"] == {
        "texts": 1,
        "rows": 2,
        "examples": [{"text": "both", "labels": ["false", "true"]}],
    }
    assert sorted(divided.reasons) == list(range(61, 69))
    assert divided.reasons[64] == "duplicate of line 2"
    assert json.loads(divided.table("rejected")[0]["raw"]) == {"text": "", "score": "1"}
    assert divided.facts == json.loads((divided.splits / "facts.json").read_text())


def test_the_files_hold_rows_labels_and_ids_that_agree(divide) -> None:
    divided = divide(SCORED, **SCORE)
    raw = pq.read_table(divided.raw / "rows.parquet").to_pylist()
    assert divided.facts["labels"] == ["false", "true"]
    for name in SPLITS:
        records = divided.table(name)
        assert divided.facts["balance"][name] == Counter(record["label"] for record in records)
        for record in records:
            assert record["text"] == raw[record["row"]]["text"]
            assert record["label"] == divided.facts["labels"][record["label_id"]]
            assert record["label_id"] == (raw[record["row"]]["score"] == "1")


@pytest.mark.parametrize("by", ["stratified", "random", "hash"])
def test_the_same_seed_gives_the_same_bytes_and_the_order_of_rows_changes_no_split(divide, by: str) -> None:
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    one, again, other, elsewhere = (
        divide(rows, split={"by": by, "seed": seed})
        for rows, seed in [(ROWS, 17), (ROWS, 17), (shuffled, 17), (ROWS, 18)]
    )
    for split in SPLITS:
        assert (one.splits / f"{split}.parquet").read_bytes() == (again.splits / f"{split}.parquet").read_bytes()
        assert one.texts(split) == other.texts(split)
    assert set(one.texts("train")) != set(elsewhere.texts("train"))


def test_a_group_is_never_in_two_splits(divide) -> None:
    rows = [{**row, "author": f"author {number % 9}"} for number, row in enumerate(ROWS)]
    divided = divide(rows, columns={"text": "text", "label": "label", "group": "author"}, split={"by": "group"})
    authors = [{rows[row]["author"] for row, split in divided.place.items() if split == name} for name in SPLITS]
    assert all(authors) and sum(map(len, authors)) == 9
    assert leaks(divided) == {}


def test_the_newest_rows_are_the_test_and_rows_of_one_time_stand_together(divide) -> None:
    rows = [{**row, "day": f"2026-01-{1 + number // 3:02d}"} for number, row in enumerate(ROWS)]
    random.Random(3).shuffle(rows)
    divided = divide(rows, columns={"text": "text", "label": "label", "time": "day"}, split={"by": "time"})
    days = {name: {rows[row]["day"] for row, split in divided.place.items() if split == name} for name in SPLITS}
    assert max(days["train"]) < min(days["validation"]) <= max(days["validation"]) < min(days["test"])


def test_given_splits_stay_as_they_are_and_what_they_share_leaves_train(divide) -> None:
    train, test = ROWS[:40], ROWS[40:]
    nearly = {"text": test[0]["text"] + "x", "label": test[0]["label"]}
    same = {"text": test[1]["text"].upper(), "label": test[1]["label"]}
    wrong = {"text": test[2]["text"], "label": "ab"[test[2]["label"] == "a"]}
    divided = divide(
        {"train": [*train, nearly, same, wrong], "test": [*test, test[3]]}, duplicates={"conflicts": "keep"}
    )
    assert Counter(divided.texts("test")) == Counter([row["text"] for row in [*test, test[3]]])
    assert set(divided.texts("train")) | set(divided.texts("validation")) == {row["text"] for row in train}
    reasons = {row["line"]: row["reason"] for row in divided.table("rejected")}
    assert reasons[41].startswith("near-duplicate of line 1 of test.jsonl (similarity 0.9")
    assert reasons[42] == "duplicate of line 2 of test.jsonl"
    assert reasons[43] == "duplicate of line 3 of test.jsonl"
    assert leaks(divided) == {}


def test_a_column_can_say_the_split(divide) -> None:
    rows = [{**row, "part": ("train", "dev", "test")[number % 3]} for number, row in enumerate(ROWS)]
    divided = divide(rows, columns={"text": "text", "label": "label", "split": "part"}, split={"by": "given"})
    assert divided.place == {row: SPLITS[row % 3] for row in range(60)}


@pytest.mark.parametrize(
    ("conflicts", "kept"), [("drop", set()), ("majority", {60, 61}), ("keep", {60, 61, 62}), ("refuse", None)]
)
def test_conflicting_labels_as_the_recipe_says(divide, conflicts: str, kept: set[int] | None) -> None:
    rows = [*ROWS, *({"text": text, "label": label} for text, label in zip(("Hm", "hm", "HM!"), "aab", strict=True))]
    options = {"duplicates": {"conflicts": conflicts, "exact": "together"}}
    if kept is None:
        with pytest.raises(DataError, match="1 texts have several labels"):
            divide(rows, **options)
        return
    divided = divide(rows, **options)
    assert {row for row in divided.place if row >= 60} == kept
    assert len({divided.place[row] for row in kept}) == bool(kept)


def test_near_duplicates_go_or_stay_in_one_split(divide) -> None:
    alike = [
        {"text": f"the quick brown fox jumps over the lazy dog and runs home {number}", "label": "a"}
        for number in range(9)
    ]
    dropped = divide([*ROWS, *alike])
    assert {row for row in dropped.place if row >= 60} == {60}
    assert dropped.reasons[62].startswith("near-duplicate of line 61 (similarity 0.9")
    together = divide([*ROWS, *alike], duplicates={"near": "together"})
    assert len({together.place[row] for row in range(60, 69)}) == 1


def test_a_repeated_id_is_rejected(divide) -> None:
    rows = [{**row, "id": str(number % 58)} for number, row in enumerate(ROWS)]
    divided = divide(rows, columns={"text": "text", "label": "label", "id": "id"})
    assert divided.reasons == {59: "the id of line 1", 60: "the id of line 2"}
    assert divided.facts["rows"]["rejected"] == 2


def test_texts_over_the_models_length_are_dropped_or_refused(divide) -> None:
    rows = [*ROWS, {"text": "one two three four five six seven", "label": "a"}]
    limit = {"limit": TokenLimit(lambda texts: [len(text.split()) for text in texts], 5)}
    divided = divide(rows, cleaning={"over_long": "drop"}, options=limit)
    assert divided.reasons == {61: "7 tokens, max_length is 5"}
    with pytest.raises(DataError, match="longer than the model reads"):
        divide(rows, cleaning={"over_long": "refuse"}, options=limit)


def test_a_sample_does_not_depend_on_the_order_of_rows_and_leaves_a_given_test_whole(divide) -> None:
    one, other = divide(ROWS, sample=11, split={"by": "random"}), divide(ROWS[::-1], sample=11, split={"by": "random"})
    assert [one.texts(name) for name in SPLITS] == [other.texts(name) for name in SPLITS]
    assert one.facts["rows"]["not_sampled"] == 49
    rows = divide({"train": ROWS[:40], "test": ROWS[40:]}, sample=10).facts["rows"]
    assert (rows["test"], rows["train"] + rows["validation"]) == (20, 10)


def test_several_labels_a_row_need_no_repeated_sets_of_them(divide) -> None:
    rows = [{**row, "label": ", ".join(random.Random(n).sample("abcdefgh", 3))} for n, row in enumerate(ROWS)]
    facts = divide(rows, label_kind="multi", split={"by": "random"}).facts
    assert facts["labels"] == list("abcdefgh")
    assert sum(facts["balance"]["train"].values()) == 3 * facts["rows"]["train"]


def test_a_given_split_without_rows_for_validation_names_the_remedy(divide) -> None:
    train = [*ROWS[:40], {"text": "the only one of its kind", "label": "c"}]
    with pytest.raises(DataError, match=r"label 'c' for 2 splits.*\n.*\n?.*name data\.validation"):
        divide({"train": train, "test": ROWS[40:]})


def test_files_of_one_name_are_told_apart(divide, tmp_path) -> None:
    from luthier.data.raw import RawSource, write_raw_data
    from tests.unit.data.conftest import fetched

    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rows.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    given_files = [
        replace(fetched(tmp_path / name / "rows.jsonl"), uri=f"{name}/rows.jsonl") for name in ("one", "two")
    ]
    sources = [RawSource(file) for file in given_files]
    write_raw_data(sources, tmp_path / "raw", required_columns=["text"])
    assert pq.read_table(tmp_path / "raw" / "rows.parquet")["_file"].to_pylist() == ["one/rows.jsonl", "two/rows.jsonl"]


def test_new_rows_are_train_only_name_their_parents_and_leak_nothing(divide) -> None:
    divided = divide(ROWS, augmentation={"below": 1000, "copies": 2})
    train = divided.table("train")
    originals = {row["row"]: row for row in train if row["parent"] is None}
    new = [row for row in train if row["parent"] is not None]
    assert len(new) == divided.facts["rows"]["augmented"] > len(originals)
    assert divided.facts["rows"]["train"] == len(originals) == sum(divided.facts["balance"]["train"].values())
    assert all(row["row"] is None and originals[row["parent"]]["label"] == row["label"] for row in new)
    assert {row["augmentation"] for row in new} == {"swap", "delete", "insert"}
    assert all(row["parent"] is None for name in ("validation", "test") for row in divided.table(name))
    assert leaks(divided) == {}
    assert "fewer than 1,000" in divided.facts["augmentation"]["why"]


def test_rare_labels_are_weighted_or_repeated(divide) -> None:
    rows = [{**row, "label": "rare" if number % 6 == 0 else "common"} for number, row in enumerate(ROWS)]
    weighted = divide(rows, balance="weights")
    balance = weighted.facts["balance"]["train"]
    mean = sum(weighted.facts["class_weights"][label] * count for label, count in balance.items())
    assert mean == pytest.approx(sum(balance.values()))
    repeated = divide(rows, balance="oversample")
    assert len(set(Counter(row["label"] for row in repeated.table("train")).values())) == 1
    assert {row["augmentation"] for row in repeated.table("train") if row["parent"] is not None} == {"repeated"}


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (
            [{"text": "", "label": "a"}, {"text": "b", "label": ""}],
            r"(?s)no row is left.*'empty text': 1, 'missing label': 1",
        ),
        ([{"text": text, "label": "a"} for text in ("one", "two", "three")], "all 3 rows have the label 'a'"),
        ([*ROWS, {"text": "lonely", "label": "c"}], "too few rows of label 'c' for 3 splits"),
    ],
)
def test_data_that_gives_no_splits(divide, rows: list[dict[str, str]], what: str) -> None:
    with pytest.raises(DataError, match=what):
        divide(rows)


@pytest.mark.parametrize(
    ("kind", "label", "stored"),
    [
        ("multi", "b, a", ["a", "b"]),
        ("number", "2.5", 2.5),
        ("spans", '[{"start": 0, "end": 3, "label": "x"}]', [{"start": 0, "end": 3, "label": "x"}]),
        ("text", "An answer.\nTwo lines.", "An answer.\nTwo lines."),
    ],
)
def test_labels_of_every_kind_are_stored_as_what_they_are(divide, kind: str, label: str, stored: Any) -> None:
    divided = divide([{**row, "label": label} for row in ROWS], label_kind=kind, split={"by": "random"})
    assert divided.facts["rows"]["train"] == 42
    assert all(row["label"] == stored for name in SPLITS for row in divided.table(name))
    assert all(row["label_id"] == ([0, 1] if kind == "multi" else None) for row in divided.table("test"))
    assert leaks(divided) == {}
