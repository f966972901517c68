"""The finished file, in the form that its suffix tells: Parquet, JSON Lines or CSV, written a few rows at a time."""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from luthier.errors import LuthierError

# A row group is at least this long: readers are slow with many small ones.
GROUP_ROWS: Final = 8192

Write = Callable[[Path, pa.Schema, Iterable[pa.Table]], None]


def writer_for(out: Path) -> Write:
    """How a file of this name is written. Raises LuthierError for an unknown suffix."""
    known = FORMS.get(out.suffix.lower())
    if known is None:
        remedy = f"let its name end in {', '.join(FORMS)}"
        raise LuthierError("unknown form of output", where=str(out), received=out.suffix, remedy=remedy)
    return known


def write_parquet(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    with pq.ParquetWriter(path, schema) as writer:
        for table in _grouped(tables):
            writer.write_table(table.cast(schema), row_group_size=len(table))


def write_json_lines(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Null where a value is missing or not finite."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for table in tables:
            for batch in table.to_batches(max_chunksize=1024):
                for row in batch.to_pylist():
                    values = {name: None if _is_infinite(value) else value for name, value in row.items()}
                    file.write(json.dumps(values, ensure_ascii=False, default=_as_text) + "\n")


def write_csv(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Texts in quotes, a missing value without; lists and structs as JSON."""
    flat = pa.schema([pa.field(each.name, _flat(each.type)) for each in schema])
    with csv.CSVWriter(path, flat) as writer:
        for table in tables:
            columns = [_flattened(column, each.type) for column, each in zip(table.columns, flat, strict=True)]
            writer.write_table(pa.Table.from_arrays(columns, schema=flat))


FORMS: Final[dict[str, Write]] = {".parquet": write_parquet, ".jsonl": write_json_lines, ".csv": write_csv}


def _grouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    pending: list[pa.Table] = []
    for table in tables:
        pending.append(table)
        if sum(map(len, pending)) >= GROUP_ROWS:
            yield pa.concat_tables(pending)
            pending = []
    if pending:
        yield pa.concat_tables(pending)


def _flat(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _flat(kind.value_type)
    return pa.string() if pa.types.is_nested(kind) or pa.types.is_binary(kind) else kind


def _flattened(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | pa.Array:
    if pa.types.is_nested(column.type):
        texts = [
            None if value is None else json.dumps(value, ensure_ascii=False, default=_as_text)
            for value in column.to_pylist()
        ]
        return pa.array(texts, pa.string())
    if pa.types.is_binary(column.type):
        return pa.array([None if value is None else _as_text(value) for value in column.to_pylist()], pa.string())
    return column.cast(kind)


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _as_text(value: Any) -> str:
    return value.decode("utf-8", errors="backslashreplace") if isinstance(value, bytes) else str(value)
