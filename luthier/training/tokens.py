"""Tokenized rows, made once per data, base and length, and stored as Arrow."""

import json
import logging
from pathlib import Path

import datasets
import pyarrow.parquet as pq

from luthier.errors import DataError
from luthier.models.loading import load_tokenizer
from luthier.tasks import Task
from luthier.tasks.head import Head

log = logging.getLogger(__name__)

SPLITS = ("train", "validation")
COLUMNS = ("text", "pair", "messages", "label", "label_id")


def write_tokens(splits: Path, base: Path, task: Task, head: Head, *, max_length: int, folder: Path) -> None:
    """Tokenizes train and validation (the test split stays sealed) and counts what was cut or cannot be learned.

    Raises:
        DataError: nothing is left to learn from.
    """
    datasets.disable_progress_bars()
    tokenizer = load_tokenizer(base)
    facts: dict[str, dict[str, int]] = {}
    for name in SPLITS:
        rows = pq.read_table(splits / f"{name}.parquet", columns=list(COLUMNS))
        encoded = task.encode(rows, tokenizer, head, max_length=max_length)
        lengths = [len(ids) for ids in encoded.columns["input_ids"]]
        if not lengths:
            raise DataError("no row has anything to learn from", where=name, received=encoded.counts)
        datasets.Dataset.from_dict({**encoded.columns, "length": lengths}).save_to_disk(folder / name)
        facts[name] = {
            "rows": len(rows),
            "features": len(lengths),
            "tokens": sum(lengths),
            "longest": max(lengths),
            **encoded.counts,
        }
        log.info("%s: %s", name, ", ".join(f"{what} {count}" for what, count in facts[name].items()))
    (folder / "facts.json").write_text(json.dumps(facts, indent=2))


def read_tokens(folder: Path, split: str) -> datasets.Dataset:
    """The features of ``train`` or ``validation``: what the task encodes, and length."""
    return datasets.load_from_disk(str(folder / split))
