"""cleaned_splits: raw rows cleaned, freed of duplicates and divided, and what became of every row."""

import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.assignment import NOWHERE, assign, is_protected, known_splits
from luthier.data.balance import class_weights
from luthier.data.clean_table import TARGETS, CleanTable, TokenLimit, clean_rows
from luthier.data.content import ranks
from luthier.data.deduplication import ANSWER_GIVEN_AWAY, DUPLICATE, NEAR_DUPLICATE, SPLIT_GROUP, Deduplication
from luthier.data.label_ids import LABEL_IDS, label_counts, label_ids, label_names
from luthier.data.raw import FACTS, RawFacts, read_raw_facts, require_columns
from luthier.data.rejected import Why, write_rejected
from luthier.data.splitting import SPLITS, TRAIN
from luthier.data.tables import write_facts
from luthier.data.training_rows import AddedRows, HeldOut, added_rows
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.data.augmentation import FillMasks
    from luthier.recipe.data_section import DataSection

log = logging.getLogger(__name__)

# A split's texts are Arrow strings: at most 2 GiB at once.
ROWS_AT_ONCE = 8192
EXAMPLES = 10
OF_CLEAN_ROWS = ["row", "text", "pair", "messages", "label", "group", "file", "slices"]
SAID_ELSEWHERE = (DUPLICATE, NEAR_DUPLICATE, SPLIT_GROUP, ANSWER_GIVEN_AWAY)


def write_cleaned_splits(
    raw: Path,
    folder: Path,
    data: "DataSection",
    *,
    limit: TokenLimit | None = None,
    fill_masks: "FillMasks | None" = None,
) -> dict[str, Any]:
    """Write the splits, rejected.parquet and facts.json from a raw_data folder; the facts.

    ``limit`` is needed where the recipe drops or refuses over-long texts, ``fill_masks`` where it augments by masks.
    Raises DataError.
    """
    raw_facts = read_raw_facts(raw)
    require_columns(raw_facts.columns, data.required_columns(raw_facts.columns), where=raw_facts.where)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".cleaning-") as scratch:
        rows = clean_rows(raw, data, raw_facts.columns, scratch=Path(scratch), limit=limit)
        divided = _divided(rows, data)
        added = _write_splits(divided, folder, fill_masks)
        write_rejected(raw, folder, divided.reasons())
        facts = _facts(raw_facts, divided, added)
    write_facts(folder / FACTS, facts)
    log.info("%s", ", ".join(f"{name} {count}" for name, count in facts["rows"].items()))
    return facts


def split_schema(label_kind: str) -> pa.Schema:
    """The columns of a split.

    ``row`` is the index in raw_data, null for rows that were made from row ``parent``; ``pair`` is the second text of a
    pair, ``messages`` the JSON of a conversation without the message that is its label; null where there is none.
    ``file`` is where the row stood, ``slices`` a JSON object of what it says in ``data.columns.slices``; nothing is
    trained on these.
    """
    return pa.schema(
        {
            "row": pa.int64(),
            "text": pa.string(),
            "pair": pa.string(),
            "messages": pa.string(),
            "label": TARGETS[label_kind],
            "label_id": LABEL_IDS.get(label_kind, pa.int64()),
            "group": pa.string(),
            "parent": pa.int64(),
            "augmentation": pa.string(),
            "file": pa.string(),
            "slices": pa.string(),
        }
    )


@dataclass(frozen=True)
class Divided:
    """Clean rows and the split of each; ``same`` knows why others left.

    ``order`` has every row once, as they are written: seed and content alone decide it.
    """

    rows: CleanTable
    same: Deduplication
    splits: np.ndarray
    order: np.ndarray
    labels: list[str]
    data: "DataSection"

    def tables(self, split: str) -> Iterator[pa.Table]:
        """The rows of a split, some at a time."""
        chosen = self.order[self.splits[self.order] == SPLITS.index(split)]
        for start in range(0, max(len(chosen), 1), ROWS_AT_ONCE):
            yield self._table(chosen[start : start + ROWS_AT_ONCE])

    def balance(self, split: str) -> dict[str, int]:
        """Rows of each label."""
        chosen = pa.array(self.splits == SPLITS.index(split))
        return label_counts(self.rows.table["label"].filter(chosen), self.labels)

    def held_out(self) -> HeldOut:
        """What no new training row may resemble."""
        chosen = np.flatnonzero(self.splits > SPLITS.index(TRAIN))
        return HeldOut(self.rows.table["key"].take(chosen), self.rows.bands[chosen])

    def reasons(self) -> dict[int, Why]:
        """Why raw rows are in no split."""
        rows, kinds, reasons = self.rows.dropped.to_pydict().values()
        cleaning = dict(zip(rows, zip(kinds, reasons, strict=True), strict=True))
        place = self.rows.column("row")
        return cleaning | {int(place[index]): why for index, why in self.same.why.items()}

    def _table(self, chosen: np.ndarray) -> pa.Table:
        schema = split_schema(self.data.label_kind)
        taken = self.rows.table.select(OF_CLEAN_ROWS).take(chosen)
        taken = taken.append_column("label_id", label_ids(taken["label"], self.labels, self.data.label_kind))
        for made_later in ("parent", "augmentation"):
            taken = taken.append_column(made_later, pa.nulls(len(chosen)))
        return taken.select(schema.names).cast(schema)


def _divided(rows: CleanTable, data: "DataSection") -> Divided:
    if not len(rows):
        reasons = dict(Counter(rows.dropped["kind"].to_pylist()))
        raise DataError("no row is left after cleaning", received=reasons, remedy="check data.columns and data.labels")
    known = known_splits(rows, data)
    same = Deduplication(rows, data.duplicates, known=known, protected=is_protected(known, data))
    splits = assign(rows, same, known, data)
    order = np.argsort(ranks(rows.content, f"order {data.split.seed}"), kind="stable")
    same.drop_near(splits, order)
    same.drop_answers(splits)
    splits[~same.keep] = NOWHERE
    return Divided(rows, same, splits, order, label_names(rows, splits != NOWHERE, data), data)


def _write_splits(divided: Divided, folder: Path, fill_masks: "FillMasks | None") -> AddedRows:
    schema = split_schema(divided.data.label_kind)
    added = added_rows(
        lambda: pa.concat_tables(divided.tables(TRAIN)),
        int((divided.splits == SPLITS.index(TRAIN)).sum()),
        divided.data,
        held_out=divided.held_out,
        fill_masks=fill_masks,
    )
    for name in SPLITS:
        with pq.ParquetWriter(folder / f"{name}.parquet", schema) as writer:
            for table in chain(divided.tables(name), added.tables if name == TRAIN else []):
                writer.write_table(table)
    return added


def _facts(raw: RawFacts, divided: Divided, added: AddedRows) -> dict[str, Any]:
    """What became of every row; raw rows are those of the splits, rejected, duplicates and not sampled."""
    rows, same, data = divided.rows, divided.same, divided.data
    reasons = Counter(raw.rejected_by_reason) + Counter(rows.dropped["kind"].to_pylist())
    reasons += Counter(kind for kind, _ in same.why.values())
    elsewhere = sum(reasons[kind] for kind in SAID_ELSEWHERE)
    rejected = reasons.total() - elsewhere
    total = raw.rows + raw.rejected
    sizes = {name: int((divided.splits == number).sum()) for number, name in enumerate(SPLITS)}
    balance = {name: divided.balance(name) for name in SPLITS}
    return {
        "labels": divided.labels,
        "label_kind": data.label_kind,
        "rows": {
            "raw": total,
            **sizes,
            "rejected": rejected,
            "duplicates": elsewhere,
            "not_sampled": total - rejected - elsewhere - sum(sizes.values()),
            "augmented": sum(added.by_kind.values()),
        },
        "balance": balance,
        "class_weights": _class_weights(balance[TRAIN], added) if data.balance == "weights" else None,
        "rejected_by_reason": dict(sorted(reasons.items())),
        "bad_share": rejected / total if total else 0.0,
        "conflicts": _conflicts(rows, same),
        "near_duplicates": _near_duplicates(rows, same, data.duplicates.threshold),
        "pii": rows.pii,
        "split_by": data.split.by,
        "augmentation": added.facts,
    }


def _class_weights(train: dict[str, int], added: AddedRows) -> dict[str, float]:
    counts = Counter(train)
    for table in added.tables:
        counts.update(label_counts(table["label"], list(train)))
    return class_weights(counts)


def _conflicts(rows: CleanTable, same: Deduplication) -> dict[str, Any]:
    examples = [
        {"text": rows.said(conflict.rows[0]), "labels": conflict.labels} for conflict in same.conflicts[:EXAMPLES]
    ]
    texts, members = len(same.conflicts), sum(len(conflict.rows) for conflict in same.conflicts)
    return {"texts": texts, "rows": members, "examples": examples}


def _near_duplicates(rows: CleanTable, same: Deduplication, threshold: float) -> dict[str, Any]:
    """Examples from the most alike to the least."""
    pairs = same.pairs
    alike = np.argsort(-pairs.similarity, kind="stable")
    shown = alike[np.linspace(0, len(alike) - 1, min(EXAMPLES, len(alike))).astype(int)]
    examples = [
        {
            "similarity": round(float(pairs.similarity[pair]), 3),
            "first": rows.said(pairs.a[pair]),
            "second": rows.said(pairs.b[pair]),
        }
        for pair in shown
    ]
    return {"pairs": len(alike), "threshold": threshold, "examples": examples}
