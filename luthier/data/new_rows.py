"""The rows of splits that other splits lack, and what is compared of them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from luthier.data.content import digests, ranks
from luthier.data.splitting import SPLITS
from luthier.data.tables import ROWS_AT_ONCE

CONTENT = ("text", "pair", "messages", "label")
# Of more rows, so many stand for all.
MOST_TEXTS = 20_000
WITHOUT = "(none)"


@dataclass(frozen=True)
class Rows:
    """``labels`` counts names, ``numbers`` are labels of kind number; texts are those of a sample of the rows."""

    count: int
    labels: Counter[str]
    numbers: np.ndarray
    texts: list[str]
    pairs: list[str | None]


def content_of(splits: Path, names: Sequence[str] = SPLITS) -> np.ndarray:
    """What each row says with its label, as digests of shape (rows, 2); rows made from others are left out."""
    found = [
        digests(json.dumps(row, ensure_ascii=False) for row in zip(*_columns(table), strict=True))
        for table in _tables(splits, names)
    ]
    return np.concatenate([np.empty((0, 2), dtype="<u8"), *found])


def lacking(content: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Which of ``content`` is not in ``other``, as a mask."""
    pair = np.dtype([("a", "<u8"), ("b", "<u8")])
    one, known = (np.ascontiguousarray(each, dtype="<u8").view(pair).ravel() for each in (content, other))
    return ~np.isin(one, known)


def read_rows(splits: Path, kind: str, content: np.ndarray, chosen: np.ndarray, names: Sequence[str] = SPLITS) -> Rows:
    """The ``chosen`` rows, a mask of ``content_of(splits, names)``; the content decides which texts are sampled."""
    places = np.flatnonzero(chosen)
    order = places[np.argsort(ranks(content[places], "drift"), kind="stable")]
    rank = {int(place): position for position, place in enumerate(order[:MOST_TEXTS])}
    labels: Counter[str] = Counter()
    numbers: list[float] = []
    sampled: list[tuple[int, str, str | None]] = []
    start = 0
    for table in _tables(splits, names):
        texts, pairs, _, targets = _columns(table)
        for place in np.flatnonzero(chosen[start : start + len(table)]).tolist():
            if kind == "number":
                numbers.append(targets[place])
            elif kind != "text":
                labels.update(_names(targets[place], kind))
            if (position := rank.get(start + place)) is not None:
                sampled.append((position, texts[place], pairs[place]))
        start += len(table)
    sampled.sort()
    return Rows(
        len(places), labels, np.array(numbers, float), [text for _, text, _ in sampled], [p for _, _, p in sampled]
    )


def _names(target: Any, kind: str) -> Iterable[str]:
    """The names in a row's label; one that says so when there is none."""
    if kind == "single":
        return [target]
    return [each if kind == "multi" else each["label"] for each in target] or [WITHOUT]


def _tables(splits: Path, names: Sequence[str]) -> Iterator[pa.Table]:
    """The rows that were read from a source, some at a time."""
    for name in names:
        with pq.ParquetFile(splits / f"{name}.parquet") as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=[*CONTENT, "augmentation"]):
                yield pa.Table.from_batches([batch]).filter(pc.is_null(batch["augmentation"]))


def _columns(table: pa.Table) -> list[list[Any]]:
    return [table[name].to_pylist() for name in CONTENT]
