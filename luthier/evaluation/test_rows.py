"""What test rows are by their content: whatever order they stand in, and whatever else their splits hold."""

import json

import pyarrow as pa

from luthier.digest import digest_of
from luthier.evaluation.evaluated import Evaluated

# What is asked, and what is right; ids of labels follow from the order that the recipe lists them in.
CONTENT = ("text", "pair", "messages", "label")


def content_digest(rows: pa.Table) -> str:
    """SHA-256 (hex) of all rows; one that is there twice counts twice."""
    return digest_of(sorted(_contents(rows)))


def in_order(test: Evaluated) -> Evaluated:
    """The rows by their content, so that those of two evaluations of the same rows stand beside each other."""
    contents = _contents(test.rows)
    return test.chosen(sorted(range(len(contents)), key=contents.__getitem__))


def _contents(rows: pa.Table) -> list[str]:
    """Each row as JSON."""
    columns = [rows[name].to_pylist() for name in CONTENT if name in rows.column_names]
    return [json.dumps(row, ensure_ascii=False, sort_keys=True) for row in zip(*columns, strict=True)]
