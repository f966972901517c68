"""Tables and facts on disk: Parquet written in batches, JSON with sorted keys."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_AT_ONCE = 8192


class BatchWriter:
    """A Parquet file filled row by row; a row is its values in the schema's order."""

    def __init__(self, path: Path, schema: pa.Schema):
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema)
        self._pending: list[Sequence[Any]] = []
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._flush()
        self._writer.close()

    def add(self, row: Sequence[Any]) -> None:
        """Append one row."""
        self._pending.append(row)
        self.count += 1
        if len(self._pending) == ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            columns = zip(*self._pending, strict=True)
            arrays = [pa.array(column, type=field.type) for column, field in zip(columns, self._schema, strict=True)]
            self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
            self._pending = []


def write_rows(path: Path, schema: pa.Schema, rows: Sequence[Sequence[Any]]) -> None:
    """A whole Parquet file."""
    with BatchWriter(path, schema) as writer:
        for row in rows:
            writer.add(row)


def write_facts(path: Path, facts: dict[str, Any]) -> None:
    """JSON in the same bytes for the same facts; lists and objects keep their order."""
    path.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_facts(path: Path) -> dict[str, Any]:
    """What ``write_facts`` wrote."""
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts
