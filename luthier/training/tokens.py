"""Tokenized rows, made once per data, base and length, and stored as Arrow."""

import json
import logging
from collections import Counter
from pathlib import Path

import datasets
import pyarrow.parquet as pq

from luthier.models.loading import load_tokenizer
from luthier.tasks.text_classification import TextClassification

log = logging.getLogger(__name__)

SPLITS = ("train", "validation")


def write_tokens(splits: Path, base: Path, task: TextClassification, *, max_length: int, folder: Path) -> None:
    """Tokenizes train and validation (the test split stays sealed) and counts the rows that were cut."""
    datasets.disable_progress_bars()
    tokenizer = load_tokenizer(base)
    facts: dict[str, dict[str, int]] = {}
    for name in SPLITS:
        table = pq.read_table(splits / f"{name}.parquet", columns=["text", "label_id"])
        columns = task.tokenize(table["text"].to_pylist(), tokenizer, max_length=max_length)
        lengths = [len(ids) for ids in columns["input_ids"]]
        cut = Counter(length >= max_length for length in lengths)[True]
        columns |= {"labels": table["label_id"].to_pylist(), "length": lengths}
        datasets.Dataset.from_dict(columns).save_to_disk(folder / name)
        facts[name] = {"rows": len(lengths), "tokens": sum(lengths), "longest": max(lengths), "at_limit": cut}
        log.info("%s: %d rows, %d tokens, %d at the limit of %d", name, len(lengths), sum(lengths), cut, max_length)
    (folder / "facts.json").write_text(json.dumps(facts, indent=2))


def read_tokens(folder: Path, split: str) -> datasets.Dataset:
    """Columns input_ids, attention_mask, labels and length of ``train`` or ``validation``."""
    return datasets.load_from_disk(str(folder / split))
