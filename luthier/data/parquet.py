"""Parquet: values become the texts that JSON writes; a number that is no number is a missing value."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.json_lines import json_text
from luthier.data.records import Rejection, Row, as_json, require_usable_names, unreadable
from luthier.errors import DataError

ROWS_AT_ONCE = 8192


def parquet_columns(path: Path) -> list[str]:
    """The schema's names."""
    with _open(path) as file:
        names = list(file.schema_arrow.names)
    require_usable_names(names, where=path.name)
    return names


def read_parquet(path: Path) -> Iterator[Row | Rejection]:
    """Records numbered from 1."""
    number = 0
    with _open(path) as file:
        try:
            for batch in file.iter_batches(ROWS_AT_ONCE):
                for record in _undecoded(batch).to_pylist():
                    number += 1
                    yield _record(record, path.name, number)
        except (pa.ArrowException, OSError) as error:
            raise DataError("a damaged Parquet file", where=path.name, received=str(error)) from None


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise DataError("not a Parquet file", where=path.name, received=str(error)) from None


def _undecoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Texts as bytes, so that one that is no UTF-8 costs its own row only."""
    columns = []
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = column.cast(pa.large_binary())
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _record(record: dict[str, Any], file: str, number: int) -> Row | Rejection:
    values = {name: _text(value) for name, value in record.items()}
    problem = unreadable(values.values())
    return Rejection(file, number, problem, problem, as_json(values)) if problem else Row(file, number, values)


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="surrogateescape")
    if isinstance(value, float) and math.isnan(value):
        return None
    return json_text(value) if isinstance(value, bool | int | float | str | list | dict | None) else str(value)
