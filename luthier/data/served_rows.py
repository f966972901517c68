"""The newest rows that a version of a model was asked and answered, as drift compares them."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from luthier.data.conversations import Message, as_text
from luthier.data.input_cleaning import InputCleaning
from luthier.data.new_rows import WITHOUT, Rows
from luthier.data.unusable import Unusable

Row = dict[str, Any]


def served_rows(files: Sequence[Path], version: str, cleaning: InputCleaning, *, most: int) -> Rows:
    """At most ``most`` rows of the log's ``files``, the oldest first, that ``version`` answered.

    Texts are cleaned as the model read them; labels are its own.
    """
    labels: Counter[str] = Counter()
    numbers: list[float] = []
    texts: list[str] = []
    pairs: list[str | None] = []
    for row in _newest(files, version, most):
        try:
            text, pair = _asked(row, cleaning)
        except Unusable:
            # The server answered it; no training row looks like it, nor is there a text to compare.
            text, pair = "", None
        texts.append(text)
        pairs.append(pair)
        labels.update(_names(row))
        if (number := row.get("value")) is not None:
            numbers.append(number)
    return Rows(len(texts), labels, np.array(numbers, float), texts, pairs)


def _newest(files: Sequence[Path], version: str, most: int) -> Iterator[Row]:
    for path in reversed(files):
        with pq.ParquetFile(path) as file:
            rows = [row for row in file.read().to_pylist() if row["version"] == version]
        chosen = rows[::-1][:most]
        yield from chosen
        most -= len(chosen)
        if not most:
            return


def _asked(row: Row, cleaning: InputCleaning) -> tuple[str, str | None]:
    if row["messages"] is not None:
        turns = [Message(turn["role"], cleaning.said(turn["content"])) for turn in json.loads(row["messages"])]
        return as_text(turns), None
    return cleaning.text(row["text"] or ""), None if row["pair"] is None else cleaning.pair(row["pair"])


def _names(row: Row) -> list[str]:
    """The names in an answer, by the columns that it has; of answers and texts whether there is one."""
    if row.get("label") is not None:
        return [row["label"]]
    if row.get("labels") is not None:
        return json.loads(row["labels"]) or [WITHOUT]
    if row.get("spans") is not None:
        return [span["label"] for span in json.loads(row["spans"])] or [WITHOUT]
    return ["answer" if row.get("answer") else WITHOUT]
