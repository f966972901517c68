"""The rows of a file that is to be answered, in chunks of a fixed number of rows whatever the file's own blocks are."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from luthier.data.arrow import arrow_batches, arrow_rows, records_of
from luthier.data.parquet import parquet_batches, parquet_rows
from luthier.data.reading import TABLE_FORMS, Rejection, Row, column_names, read_rows

BATCHES = {"parquet": parquet_batches, "arrow": arrow_batches}
COUNTS = {"parquet": parquet_rows, "arrow": arrow_rows}


@dataclass(frozen=True)
class Chunk:
    """``table`` has the input's columns as they are, null for a record that is no row; ``first`` counts from 1.

    ``records`` are the same rows as texts: those of a table have only the columns that were asked for.
    """

    first: int
    table: pa.Table
    records: list[Row | Rejection]


@dataclass(frozen=True)
class InputFile:
    """A file in one of the forms that sources have; ``pattern`` as in ``read_rows``."""

    path: Path
    form: str
    pattern: str | None = None

    @property
    def is_table(self) -> bool:
        """Whether columns have types of their own; those of the other forms are texts."""
        return self.form in TABLE_FORMS

    def columns(self) -> list[str]:
        """The columns' names. Raises DataError."""
        return column_names(self.path, self.form, self.pattern)

    def schema(self, columns: Iterable[str]) -> pa.Schema:
        """The types of ``columns``, all that there are."""
        if not self.is_table:
            return pa.schema(dict.fromkeys(columns, pa.string()))
        schema, _ = BATCHES[self.form](self.path, skip=0)
        return schema.remove_metadata()

    def count(self) -> int:
        """How many records there are; all are read for that, but for Parquet, which says it."""
        if self.is_table:
            return COUNTS[self.form](self.path)
        return sum(1 for _ in read_rows(self.path, self.form, self.pattern))

    def chunks(self, rows: int, *, schema: pa.Schema, read: Collection[str], skip: int = 0) -> Iterator[Chunk]:
        """Chunks of ``rows`` rows, fewer at the end, after ``skip`` rows; ``read`` are the columns that records need.

        Raises DataError when the file as a whole is damaged.
        """
        tables = self._tables(rows, read, skip) if self.is_table else self._texts(rows, schema, skip)
        first = skip + 1
        for table, records in tables:
            yield Chunk(first, table, records)
            first += len(records)

    def _texts(self, rows: int, schema: pa.Schema, skip: int) -> Iterator[tuple[pa.Table, list[Row | Rejection]]]:
        records = islice(read_rows(self.path, self.form, self.pattern), skip, None)
        while chunk := list(islice(records, rows)):
            values: list[Any] = [record.values if isinstance(record, Row) else {} for record in chunk]
            columns = [pa.array([row.get(name) for row in values], pa.string()) for name in schema.names]
            yield pa.Table.from_arrays(columns, schema=schema), chunk

    def _tables(self, rows: int, read: Collection[str], skip: int) -> Iterator[tuple[pa.Table, list[Row | Rejection]]]:
        _, batches = BATCHES[self.form](self.path, skip=skip)
        for table in _of_size(batches, rows):
            needed = table.select([name for name in table.column_names if name in read])
            yield table.replace_schema_metadata(), list(records_of(needed.to_batches(), file=self.path.name))


def _of_size(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    pending: list[pa.RecordBatch] = []
    missing = rows
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, missing)
            pending.append(part)
            start += part.num_rows
            missing -= part.num_rows
            if not missing:
                yield pa.Table.from_batches(pending)
                pending, missing = [], rows
    if pending:
        yield pa.Table.from_batches(pending)
