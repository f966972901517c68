"""The search for leaks and gaps: reads the splits that were written and shares no code with what divided them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq

from luthier.data.tables import read_facts
from luthier.data.text import normalised

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Leak:
    """One row of ``split_b`` whose text ``split_a`` has too: exactly, or but for case, punctuation and spacing."""

    kind: Literal["exact", "normalised"]
    split_a: str
    split_b: str
    row_a: int
    row_b: int
    text_a: str
    text_b: str


def leaks(splits_folder: Path) -> list[Leak]:
    """A leak for every row of a later split whose text an earlier one has; exact matches come before the others."""
    splits = {name: _rows(splits_folder, name) for name in SPLITS}
    found = [leak for a, b in combinations(SPLITS, 2) for leak in _overlap(a, splits[a], b, splits[b])]
    return sorted(found, key=lambda leak: leak.kind)


def labels_complete(folder: Path) -> list[str]:
    """What is wrong with the labels: a split that lacks one, a row without, an id that is not its label's."""
    labels: list[str] = read_facts(folder / "facts.json")["labels"]
    ids = {label: label_id for label_id, label in enumerate(labels)}
    return [problem for name in SPLITS for problem in _label_problems(name, _rows(folder, name), ids)]


def _rows(folder: Path, split: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / f"{split}.parquet").to_pylist()
    return rows


def _overlap(a: str, rows_a: list[dict[str, Any]], b: str, rows_b: list[dict[str, Any]]) -> Iterator[Leak]:
    exact = {row["text"]: row for row in reversed(rows_a)}
    alike = {normalised(row["text"]): row for row in reversed(rows_a)}
    for row in rows_b:
        if twin := exact.get(row["text"]):
            yield Leak("exact", a, b, twin["row"], row["row"], twin["text"], row["text"])
        elif twin := alike.get(normalised(row["text"])):
            yield Leak("normalised", a, b, twin["row"], row["row"], twin["text"], row["text"])


def _label_problems(split: str, rows: list[dict[str, Any]], ids: dict[str, int]) -> Iterator[str]:
    present = {row["label"] for row in rows}
    unlabelled = sum(row["label"] is None or row["label_id"] is None for row in rows)
    if unlabelled:
        yield f"{split}: {unlabelled} rows without a label"
    for label in ids:
        if label not in present:
            yield f"{split}: no row of label {label!r}"
    for label in sorted(present - ids.keys() - {None}):
        yield f"{split}: label {label!r} is unknown"
    wrong = [row for row in rows if row["label"] in ids and row["label_id"] not in (ids[row["label"]], None)]
    if wrong:
        yield f"{split}: {len(wrong)} rows whose label_id is not their label's, row {wrong[0]['row']} first"
