"""Tokenized rows, made once per data, base and length, and stored as Arrow."""

import json
import logging
from pathlib import Path
from typing import Any, Final

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import transformers

from luthier.errors import DataError, ModelError
from luthier.models.loading import load_tokenizer
from luthier.tasks import Task
from luthier.tasks.head import Head

log = logging.getLogger(__name__)

SPLITS = ("train", "validation")
COLUMNS = ("text", "pair", "messages", "label", "label_id")

# What a row may lose to max_length, by the name of its count.
LOSSES: Final = {
    "unlearnable": "have no label left to learn from",
    "truncated_answers": "lose part of their answer",
}
# Shares of tokens that the tokenizer does not know: from here on a training is doubtful, and pointless.
DOUBTFUL, POINTLESS = 0.05, 0.5


def write_tokens(splits: Path, base: Path, task: Task, head: Head, *, max_length: int, folder: Path) -> None:
    """Tokenizes train and validation (the test split stays sealed) and counts what was cut or cannot be learned.

    Raises:
        ModelError: the tokenizer has tokens that the model does not.
        DataError: nothing is left to learn from, or the tokenizer is of another language than the rows.
    """
    datasets.disable_progress_bars()
    tokenizer = load_tokenizer(base)
    require_same_vocabulary(tokenizer, base)
    facts: dict[str, dict[str, int]] = {}
    for name in SPLITS:
        rows = pq.read_table(splits / f"{name}.parquet", columns=list(COLUMNS))
        facts[name] = _write_split(rows, tokenizer, task, head, max_length=max_length, folder=folder / name)
        log.info("%s: %s", name, ", ".join(f"{what} {count}" for what, count in facts[name].items()))
    (folder / "facts.json").write_text(json.dumps(facts, indent=2))


def _write_split(
    rows: pa.Table, tokenizer: Any, task: Task, head: Head, *, max_length: int, folder: Path
) -> dict[str, int]:
    encoded = task.encode(rows, tokenizer, head, max_length=max_length)
    lengths = [len(ids) for ids in encoded.columns["input_ids"]]
    if not lengths:
        raise DataError("no row has anything to learn from", where=folder.name, received=encoded.counts)
    unknown = _unknown(tokenizer, encoded.columns["input_ids"])
    _require_known(unknown, sum(lengths), where=folder.name)
    datasets.Dataset.from_dict({**encoded.columns, "length": lengths}).save_to_disk(folder)
    return {
        "rows": len(rows),
        "features": len(lengths),
        "tokens": sum(lengths),
        "longest": max(lengths),
        "unknown_tokens": unknown,
        **encoded.counts,
    }


def require_same_vocabulary(tokenizer: Any, base: Path) -> None:
    """Raises a ModelError for a tokenizer that gives tokens which the model has no embedding of."""
    config = transformers.AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
    if len(tokenizer) > config.vocab_size:
        raise ModelError(
            "the tokenizer is of another model: it has more tokens than the model has embeddings",
            received=f"{len(tokenizer)} tokens, {config.vocab_size} embeddings",
            remedy="put the model's own tokenizer beside it",
        )


def require_learnable(tokens: Path, share: float) -> None:
    """Raises a DataError where more than ``share`` of the rows of a split lose to max_length what is to be learned."""
    for split, counts in json.loads((tokens / "facts.json").read_text()).items():
        for name, what in LOSSES.items():
            if counts.get(name, 0) > share * counts["rows"]:
                raise DataError(
                    f"{counts[name]} of {counts['rows']} rows {what}",
                    where=split,
                    received={name: counts[name] / counts["rows"]},
                    remedy="raise training.max_length; training.max_unlearnable says what share may",
                )


def read_tokens(folder: Path, split: str) -> datasets.Dataset:
    """The features of ``train`` or ``validation``: what the task encodes, and length."""
    # What is sorted or selected would be kept beside the tokens, and damage the artifact.
    datasets.disable_caching()
    return datasets.load_from_disk(str(folder / split))


def _unknown(tokenizer: Any, features: list[list[int]]) -> int:
    """Tokens for what the tokenizer does not know; byte-level ones know everything, and name their end so."""
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown == tokenizer.eos_token_id:
        return 0
    return sum(ids.count(unknown) for ids in features)


def _require_known(unknown: int, tokens: int, *, where: str) -> None:
    share = unknown / tokens
    if share > POINTLESS:
        raise DataError(
            f"the tokenizer does not know {share:.0%} of the tokens",
            where=where,
            remedy="choose a base model of the rows' language",
        )
    if share > DOUBTFUL:
        log.warning("%s: the tokenizer does not know %.0f %% of the tokens", where, 100 * share)
