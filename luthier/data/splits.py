"""cleaned_splits: raw rows cleaned, sampled when asked and divided, and what became of every row."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.cleaning import Cleaned, Example, clean
from luthier.data.expression import Expression
from luthier.data.raw import FACTS, REJECTED, REJECTED_SCHEMA, ROWS, RawFacts, read_raw_facts, require_columns
from luthier.data.records import as_json
from luthier.data.splitting import SPLITS, Shares, sample, split
from luthier.data.tables import write_facts, write_rows

if TYPE_CHECKING:
    from luthier.recipe.schema import DataSection

log = logging.getLogger(__name__)

SPLIT_SCHEMA = pa.schema({"row": pa.int64(), "text": pa.string(), "label": pa.string(), "label_id": pa.int64()})


def write_cleaned_splits(raw: Path, folder: Path, data: "DataSection") -> dict[str, Any]:
    """Write the splits, rejected.parquet and facts.json from a raw_data folder; the facts. Raises DataError."""
    raw_facts = read_raw_facts(raw)
    label = Expression.parse(data.columns.label, raw_facts.columns)
    require_columns(raw_facts.columns, {data.columns.text, *label.columns}, where=raw_facts.source)
    rows = pq.read_table(raw / ROWS).to_pylist()
    cleaned = clean(rows, text=data.columns.text, label=label, labels=data.labels)
    size, seed = data.sample or len(cleaned.examples), data.split.seed
    examples = sample(cleaned.examples, size, seed=seed)
    shares = Shares(validation=data.split.validation, test=data.split.test)
    stratified = data.split.stratify is not None
    splits = split(examples, shares, labels=cleaned.labels, stratified=stratified, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name, members in splits.items():
        write_rows(folder / f"{name}.parquet", SPLIT_SCHEMA, _records(members, cleaned.labels))
    _write_rejected(folder / REJECTED, raw, rows, cleaned)
    facts = _facts(raw_facts, cleaned, splits)
    write_facts(folder / FACTS, facts)
    log.info("%s", ", ".join(f"{name} {count}" for name, count in facts["rows"].items()))
    return facts


def preview(folder: Path, rows: int = 5) -> list[dict[str, Any]]:
    """The first training rows, for people."""
    records: list[dict[str, Any]] = pq.read_table(folder / "train.parquet").slice(0, rows).to_pylist()
    return records


def _records(examples: Sequence[Example], labels: Sequence[str]) -> list[tuple[int, str, str, int]]:
    ids = {label: label_id for label_id, label in enumerate(labels)}
    return [(example.row, example.text, example.label, ids[example.label]) for example in examples]


def _write_rejected(path: Path, raw: Path, rows: Sequence[dict[str, Any]], cleaned: Cleaned) -> None:
    unreadable = pq.read_table(raw / REJECTED, schema=REJECTED_SCHEMA).to_pylist()
    records = [tuple(record[name] for name in REJECTED_SCHEMA.names) for record in unreadable]
    for drop in cleaned.dropped:
        row = rows[drop.row]
        values = {name: value for name, value in row.items() if name not in ("_file", "_line")}
        records.append((row["_file"], row["_line"], drop.reason, as_json(values)))
    write_rows(path, REJECTED_SCHEMA, sorted(records, key=lambda record: (record[0], record[1])))


def _facts(raw: RawFacts, cleaned: Cleaned, splits: dict[str, list[Example]]) -> dict[str, Any]:
    sizes = {name: len(splits[name]) for name in SPLITS}
    reasons = Counter(raw.rejected_by_reason) + Counter(drop.kind for drop in cleaned.dropped)
    balance = {name: Counter(example.label for example in members) for name, members in splits.items()}
    return {
        "labels": cleaned.labels,
        "rows": {
            "raw": raw.rows + raw.rejected,
            **sizes,
            "rejected": raw.rejected + len(cleaned.dropped),
            "not_sampled": len(cleaned.examples) - sum(sizes.values()),
        },
        "balance": {name: {label: balance[name][label] for label in cleaned.labels} for name in SPLITS},
        "rejected_by_reason": dict(sorted(reasons.items())),
    }
