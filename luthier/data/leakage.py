"""The search for leaks: reads the written splits, and knows nothing of how they were made."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from luthier.data.cleaning import normalised
from luthier.data.splitting import SPLITS


@dataclass(frozen=True)
class Leak:
    """One text in two splits: exactly, or alike but for case, punctuation and spacing."""

    kind: str
    split_a: str
    split_b: str
    row_a: int
    row_b: int
    text_a: str
    text_b: str


def leaks(splits: Path) -> list[Leak]:
    """Every text that two splits share."""
    tables = {name: pq.read_table(splits / f"{name}.parquet").to_pylist() for name in SPLITS}
    keyed = {name: _by_normalised(rows) for name, rows in tables.items()}
    found: list[Leak] = []
    for a, b in combinations(SPLITS, 2):
        for key in keyed[a].keys() & keyed[b].keys():
            first, second = keyed[a][key][0], keyed[b][key][0]
            kind = "exact" if first["text"] == second["text"] else "normalised"
            found.append(Leak(kind, a, b, first["row"], second["row"], first["text"], second["text"]))
    return sorted(found, key=lambda leak: (leak.split_a, leak.split_b, leak.row_a))


def label_problems(splits: Path, labels: list[str]) -> list[str]:
    """What is incomplete: a split without one of the labels, a row without a label, an id that is not its label's."""
    problems: list[str] = []
    for name in SPLITS:
        rows = pq.read_table(splits / f"{name}.parquet", columns=["label", "label_id"]).to_pylist()
        present = {row["label"] for row in rows}
        problems += [f"{name} has no row of {label!r}" for label in labels if label not in present]
        wrong = [row for row in rows if row["label"] is None or labels.index(row["label"]) != row["label_id"]]
        problems += [f"{name} has {len(wrong)} rows without a label, or with another's id"] if wrong else []
    return problems


def _by_normalised(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[normalised(row["text"])].append(row)
    return groups
