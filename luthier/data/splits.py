"""cleaned_splits: clean, draw a sample if asked, divide, and write what happened to every row."""

import json
import logging
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.cleaning import Cleaned, Example, clean
from luthier.data.raw import REJECTED
from luthier.data.splitting import SPLITS, divide, draw
from luthier.recipe.schema import DataSection

log = logging.getLogger(__name__)

EXAMPLES = pa.schema([("row", pa.int64()), ("text", pa.string()), ("label", pa.string()), ("label_id", pa.int64())])


def write_cleaned_splits(raw: Path, folder: Path, data: DataSection) -> None:
    """Writes train, validation, test and rejected Parquet files and ``facts.json`` from a raw_data folder.

    Raises:
        DataError: no usable row, one label only, or too few rows for the splits.
    """
    rows = pq.read_table(raw / "rows.parquet").to_pylist()
    unreadable = pq.read_table(raw / "rejected.parquet").to_pylist()
    cleaned = clean(rows, text=data.columns.text, label=data.columns.label, labels=data.labels)
    size = data.sample or len(cleaned.examples)
    examples = [cleaned.examples[i] for i in draw([e.label for e in cleaned.examples], size, seed=data.split.seed)]
    divided = divide(
        [example.label for example in examples],
        validation=data.split.validation,
        test=data.split.test,
        stratified=data.split.stratify == "label",
        seed=data.split.seed,
    )
    splits = {name: [examples[row] for row in divided[name]] for name in SPLITS}
    for name, members in splits.items():
        pq.write_table(_table(members, cleaned.labels), folder / f"{name}.parquet")
    rejected = [*unreadable, *map(asdict, cleaned.rejected)]
    pq.write_table(pa.Table.from_pylist(rejected, REJECTED), folder / "rejected.parquet")
    facts = _facts(splits, cleaned, rejected, raw=len(rows) + len(unreadable), sampled=len(examples))
    (folder / "facts.json").write_text(json.dumps(facts, indent=2))
    log.info("%s", ", ".join(f"{name} {count}" for name, count in facts["rows"].items()))


def preview(folder: Path, rows: int = 5) -> list[dict[str, Any]]:
    """The first training rows, for people."""
    return pq.read_table(folder / "train.parquet").slice(0, rows).to_pylist()


def _table(examples: list[Example], labels: list[str]) -> pa.Table:
    ids = {name: index for index, name in enumerate(labels)}
    records = [{"row": e.row, "text": e.text, "label": e.label, "label_id": ids[e.label]} for e in examples]
    return pa.Table.from_pylist(records, EXAMPLES)


def _facts(
    splits: dict[str, list[Example]], cleaned: Cleaned, rejected: list[dict[str, Any]], *, raw: int, sampled: int
) -> dict[str, Any]:
    reasons = Counter(re.sub(r"\d+$", "…", row["reason"]) for row in rejected)
    return {
        "labels": cleaned.labels,
        "rows": {
            "raw": raw,
            **{name: len(examples) for name, examples in splits.items()},
            "rejected": len(rejected),
            "not_sampled": len(cleaned.examples) - sampled,
        },
        "balance": {
            name: {label: sum(e.label == label for e in examples) for label in cleaned.labels}
            for name, examples in splits.items()
        },
        "rejected_by_reason": dict(reasons.most_common()),
    }
