"""What train gains after splitting: rows made from its own rows, and rare labels repeated."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luthier.data.augmentation import FillMasks, NewRow, augment
from luthier.data.balance import oversampled
from luthier.data.content import digests
from luthier.data.near_duplicates import Banding, band_hashes, similar_pairs
from luthier.data.text import joined, key_of

if TYPE_CHECKING:
    from luthier.recipe.data_section import DataSection

AUGMENTABLE = ("single", "multi", "number")
REPEATED = "repeated"


@dataclass(frozen=True)
class HeldOut:
    """The keys of validation and test, with their band hashes."""

    keys: pa.ChunkedArray
    bands: np.ndarray


@dataclass(frozen=True)
class AddedRows:
    """Rows to write behind those of train, how many there are of each kind, and why there are or are not any."""

    tables: list[pa.Table]
    by_kind: dict[str, int]
    why: str

    @property
    def facts(self) -> dict[str, Any]:
        """For people."""
        return {"new_rows": sum(self.by_kind.values()), "by_kind": self.by_kind, "why": self.why}


def added_rows(
    train: Callable[[], pa.Table],
    rows: int,
    data: "DataSection",
    *,
    held_out: Callable[[], HeldOut],
    fill_masks: FillMasks | None,
) -> AddedRows:
    """What ``data.augmentation`` and ``data.balance`` add to the ``rows`` rows of ``train``, read only when needed."""
    why, augments = _decision(rows, data)
    repeats = data.balance == "oversample"
    own = train() if augments or repeats else None
    tables: list[pa.Table] = []
    if augments:
        tables.append(_table(own, _new_rows(own, held_out(), data, fill_masks)))
    if repeats:
        tables.append(_repeated(pa.concat_tables([own, *tables])))
    kinds = Counter(kind for table in tables for kind in table["augmentation"].to_pylist())
    return AddedRows(tables, dict(sorted(kinds.items())), why)


def _decision(rows: int, data: "DataSection") -> tuple[str, bool]:
    below = data.augmentation.below
    if rows >= below:
        return f"off: {rows:,} training rows are not fewer than {below:,}", False
    if data.label_kind not in AUGMENTABLE:
        return f"off: labels of kind {data.label_kind} would not fit a changed text", False
    return f"on: {rows:,} training rows are fewer than {below:,}", True


def _new_rows(
    train: pa.Table, held_out: HeldOut, data: "DataSection", fill_masks: FillMasks | None
) -> Sequence[NewRow]:
    """New rows that are not nearly the same as a held-out one: their parents are not, but a change can lead there."""
    new = list(
        augment(
            train["text"].to_pylist(),
            train["row"].to_pylist(),
            data.augmentation,
            pairs=train["pair"].to_pylist(),
            seed=data.split.seed,
            forbidden=frozenset(held_out.keys.to_pylist()),
            fill_masks=fill_masks,
        )
    )
    pair = dict(zip(train["row"].to_pylist(), train["pair"].to_pylist(), strict=True))
    keys = [key_of(row.text, pair[row.parent]) for row in new]
    banding = Banding.for_threshold(data.duplicates.threshold)
    pairs = similar_pairs(
        np.concatenate([band_hashes(keys, banding), held_out.bands]),
        pa.chunked_array([pa.array(keys, pa.large_string()), *held_out.keys.chunks]),
        data.duplicates.threshold,
        wanted=lambda a, b: (a < len(new)) != (b < len(new)),
    )
    leaking = set(pairs.a.tolist())
    return [row for index, row in enumerate(new) if index not in leaking]


def _table(train: pa.Table, new: Sequence[NewRow]) -> pa.Table:
    """New rows with everything but text and origin taken from their parents."""
    places = {row: place for place, row in enumerate(train["row"].to_pylist())}
    table = train.take(pa.array([places[row.parent] for row in new], pa.int64()))
    return _descended(table, parents=table["row"], kinds=[row.kind for row in new], texts=[row.text for row in new])


def _repeated(table: pa.Table) -> pa.Table:
    keys = digests(map(joined, table["text"].to_pylist(), table["pair"].to_pylist()))[:, 0]
    copies = table.take(pa.array(oversampled(table["label_id"].to_numpy(), keys=keys)))
    parents = pc.coalesce(copies["row"], copies["parent"])
    return _descended(copies, parents=parents, kinds=[REPEATED] * len(copies), texts=copies["text"].to_pylist())


def _descended(table: pa.Table, *, parents: Any, kinds: Sequence[str], texts: Sequence[str]) -> pa.Table:
    columns = {
        "row": pa.nulls(len(table), pa.int64()),
        "text": pa.array(texts, pa.string()),
        "parent": parents,
        "augmentation": pa.array(kinds, pa.string()),
    }
    for name, column in columns.items():
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    return table
