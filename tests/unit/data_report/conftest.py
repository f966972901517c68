import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.data.raw import REJECTED_SCHEMA
from luthier.data_report.lengths import Lengths
from luthier.data_report.report import DataReport, data_report

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> & [red]$q$[/red] ]]> --> {{ 7 * 7 }}'
ROW_SCHEMA = pa.schema({"row": pa.int64(), "text": pa.string(), "label": pa.string(), "label_id": pa.int64()})
SIZES = {"train": 60, "validation": 20, "test": 20}
NEAREST = {"similarity": 0.75, "split_a": "train", "row_a": 3, "split_b": "test", "row_b": 90}


def write_split(folder: Path, split: str, rows: Sequence[tuple[Any, ...]]) -> None:
    columns = [pa.array([row[place] for row in rows], type=field.type) for place, field in enumerate(ROW_SCHEMA)]
    table = pa.table(columns, schema=ROW_SCHEMA).append_column("pair", pa.nulls(len(rows), pa.string()))
    pq.write_table(table, folder / f"{split}.parquet", row_group_size=17)


def facts_of(labels: Sequence[str], text: str) -> dict[str, Any]:
    return {
        "labels": list(labels),
        "label_kind": "single",
        "rows": {"raw": 107, **SIZES, "rejected": 7, "duplicates": 5, "not_sampled": 0, "augmented": 0},
        "balance": {split: {label: size // len(labels) for label in labels} for split, size in SIZES.items()},
        "rejected_by_reason": {"empty text": 1, "duplicate": 5, "label not in labels": 1},
        "bad_share": 0.02,
        "conflicts": {"texts": 1, "rows": 2, "examples": [{"text": text, "labels": list(labels[:2])}]},
        "near_duplicates": {
            "pairs": 2,
            "threshold": 0.8,
            "examples": [{"similarity": 0.93, "first": text, "second": text}],
        },
        "pii": {},
        "split_by": "stratified",
        "class_weights": None,
        "augmentation": {"new_rows": 0, "by_kind": {}, "why": "off: 60 training rows are enough"},
    }


def leaks_of(text: str, counts: Mapping[str, Mapping[str, int]] | None = None) -> dict[str, Any]:
    near = {**NEAREST, "text_a": text, "text_b": text}
    return {
        "counts": {"exact": {"train/test": 0}, "near": {"train/test": 0}, **(counts or {})},
        "examples": [{"kind": "near", **near}] if counts else [],
        "nearest": near,
        "compared": {"rows": 100},
    }


def lengths_of(rows: int, **changed: Any) -> Lengths:
    values = {"rows": rows, "tokens": rows * 10, "median": 10.0, "p95": 14.0, "longest": 15, "over": 0, "lost": 0}
    shape = {"edges": tuple(range(0, 17, 2)), "counts": (0, 0, 1, 2, rows - 7, 2, 1, 1), "estimated_from": None}
    return Lengths(**{**values, **shape, **changed})


@pytest.fixture
def hostile() -> str:
    return HOSTILE


@pytest.fixture
def splits(tmp_path: Path) -> Callable[..., Path]:
    """Writes a cleaned_splits folder; every text is ``text`` followed by its row."""

    def write(labels: Sequence[str] = ("no", "yes"), *, text: str = "a text", rejected: Any = (), **facts: Any) -> Path:
        start = 0
        for split, size in SIZES.items():
            numbers = range(start, start + size)
            write_split(
                tmp_path,
                split,
                [(row, f"{text} {row}", labels[row % len(labels)], row % len(labels)) for row in numbers],
            )
            start += size
        records = list(rejected) or [
            ("a.csv", 3, "label not in labels", f"label {text!r} is not one of 'no', 'yes'", text)
        ]
        columns = [pa.array([row[place] for row in records], type=f.type) for place, f in enumerate(REJECTED_SCHEMA)]
        pq.write_table(pa.table(columns, schema=REJECTED_SCHEMA), tmp_path / "rejected.parquet")
        (tmp_path / "facts.json").write_text(json.dumps({**facts_of(labels, text), **facts}))
        return tmp_path

    return write


@pytest.fixture
def make_report(splits: Callable[..., Path]) -> Callable[..., DataReport]:
    """The report of ``splits``; ``leaks`` as kind -> pair of splits -> number, ``lengths`` as changes of each."""

    def make(
        labels: Sequence[str] = ("no", "yes"),
        *,
        text: str = "a text",
        recipe: str = "reviews",
        leaks: Mapping[str, Mapping[str, int]] | None = None,
        lengths: Mapping[str, Any] | None = None,
        **facts: Any,
    ) -> DataReport:
        return data_report(
            splits(labels, text=text, **facts),
            recipe=recipe,
            sources=[text],
            fingerprint="ab" * 32,
            lengths={split: lengths_of(size, **(lengths or {})) for split, size in SIZES.items()},
            max_length=16,
            leaks=leaks_of(text, leaks),
        )

    return make


@pytest.fixture
def split_of_lengths(tmp_path: Path) -> Callable[..., Path]:
    """Writes three splits whose texts have the given numbers of words that are one token each."""

    def write(**words: Sequence[int]) -> Path:
        generator = random.Random(0)
        for split in SIZES:
            texts = [" ".join(generator.choices(["good", "film", "plot"], k=k)) for k in words.get(split, [1, 2])]
            write_split(tmp_path, split, [(row, text, "no", 0) for row, text in enumerate(texts)])
        return tmp_path

    return write
