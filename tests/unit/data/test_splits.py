import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luthier.data.leakage import labels_complete, leaks
from luthier.data.raw import write_raw_data
from luthier.data.splits import preview, write_cleaned_splits
from luthier.errors import DataError
from luthier.recipe.schema import DataSection
from luthier.sources.fetched import Fetched

SPLITS = ("train", "validation", "test")
GOOD = [(f"a text about thing {number}", "1" if number % 3 else "-1") for number in range(60)]
BAD = [
    ("", "1"),
    ("no label", ""),
    ("no number", "many"),
    ("A text, about thing 1", "1"),
    ("both", "1"),
    ("Both!", "-1"),
]


def _data(sample: int | None = None, **changes: Any) -> DataSection:
    columns = {"text": "text", "label": "score > 0"}
    split = {"test": 0.15, "validation": 0.15, **changes}
    return DataSection.model_validate({"source": "a.csv", "columns": columns, "sample": sample, "split": split})


def _split(folder: Path, pairs: list[tuple[str, str]], data: DataSection, spoiled: int = 0) -> dict[str, Any]:
    folder.mkdir(parents=True)
    path = folder / "a.jsonl"
    lines = [json.dumps({"text": text, "score": score}) for text, score in pairs]
    path.write_text("\n".join([*lines, *(["{spoiled"] * spoiled)]) + "\n")
    write_raw_data(Fetched(path, "a.jsonl", "f", {}), folder / "raw", required_columns=["text", "score"])
    return write_cleaned_splits(folder / "raw", folder / "splits", data)


def _texts(folder: Path) -> dict[str, list[str]]:
    return {name: pq.read_table(folder / "splits" / f"{name}.parquet")["text"].to_pylist() for name in SPLITS}


def test_every_row_is_accounted_for(tmp_path: Path) -> None:
    facts = _split(tmp_path / "a", [*GOOD, *BAD], _data(sample=40), spoiled=2)
    rows = facts["rows"]
    assert rows["raw"] == 68 == sum(rows[name] for name in (*SPLITS, "rejected", "not_sampled"))
    assert (rows["rejected"], rows["not_sampled"]) == (8, 20)
    assert facts["rejected_by_reason"] == {
        "broken JSON": 2,
        "conflicting labels": 2,
        "duplicate": 1,
        "empty text": 1,
        "label not computable": 1,
        "missing label": 1,
    }
    rejected = pq.read_table(tmp_path / "a" / "splits" / "rejected.parquet").to_pylist()
    assert [row["line"] for row in rejected] == list(range(61, 69))
    assert json.loads(rejected[0]["raw"]) == {"text": "", "score": "1"}
    assert facts == json.loads((tmp_path / "a" / "splits" / "facts.json").read_text())


def test_the_files_hold_rows_labels_and_ids_that_agree(tmp_path: Path) -> None:
    facts = _split(tmp_path / "a", GOOD, _data())
    raw = pq.read_table(tmp_path / "a" / "raw" / "rows.parquet").to_pylist()
    assert facts["labels"] == ["false", "true"]
    for name in SPLITS:
        records = pq.read_table(tmp_path / "a" / "splits" / f"{name}.parquet").to_pylist()
        assert facts["balance"][name] == Counter(record["label"] for record in records)
        for record in records:
            assert record["text"] == raw[record["row"]]["text"]
            assert record["label"] == facts["labels"][record["label_id"]]
            assert record["label_id"] == (raw[record["row"]]["score"] == "1")
    assert preview(tmp_path / "a" / "splits", 2)[0]["label"] in facts["labels"]


def test_the_same_seed_gives_the_same_bytes_and_the_order_of_rows_changes_no_split(tmp_path: Path) -> None:
    shuffled = random.Random(1).sample(GOOD, len(GOOD))
    for name, pairs, seed in [("a", GOOD, 17), ("b", GOOD, 17), ("c", shuffled, 17), ("d", GOOD, 18)]:
        _split(tmp_path / name, pairs, _data(sample=50, seed=seed))
    for split in SPLITS:
        one, other = (tmp_path / name / "splits" / f"{split}.parquet" for name in "ab")
        assert one.read_bytes() == other.read_bytes()
    assert _texts(tmp_path / "a") == _texts(tmp_path / "c")
    assert set(_texts(tmp_path / "a")["test"]) != set(_texts(tmp_path / "d")["test"])


WORDS = st.lists(st.sampled_from(["Good", "good", "bad.", "film", "a", "\x00", "FILM!", " ", "\xe9"]), max_size=3)
PAIRS = st.lists(st.tuples(WORDS.map(" ".join), st.sampled_from(["1", "-1", "", "many"])), max_size=40)


@given(PAIRS, st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_add_up_and_no_text_is_in_two_splits(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], stratified: bool
) -> None:
    folder = tmp_path_factory.mktemp("splits") / "a"
    facts = _split(folder, [*GOOD[:12], *pairs], _data(stratify="label" if stratified else None))
    rows = facts["rows"]
    assert rows["raw"] == sum(rows[name] for name in (*SPLITS, "rejected", "not_sampled"))
    assert leaks(folder / "splits") == []
    assert not stratified or labels_complete(folder / "splits") == []
    used = [row for name in SPLITS for row in pq.read_table(folder / "splits" / f"{name}.parquet")["row"].to_pylist()]
    assert len(used) == len(set(used))


@pytest.mark.parametrize(
    ("pairs", "what"),
    [
        ([], "no columns"),
        ([("", "1")], "no row is left"),
        ([("a", "1"), ("b", "2")], "all 2 rows have the label 'true'"),
        ([("a", "1"), ("b", "-2"), ("c", "3")], "label 'false' .* need 3"),
    ],
)
def test_data_that_gives_no_splits(tmp_path: Path, pairs: list[tuple[str, str]], what: str) -> None:
    with pytest.raises(DataError, match=what):
        _split(tmp_path / "a", pairs, _data())
