"""Parquet: values become the texts that JSON writes; a number that is no number is a missing value."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.arrow import ROWS_AT_ONCE, records_of
from luthier.data.records import Rejection, Row, require_usable_names
from luthier.errors import DataError

# Without one, all that a row group has of a column is read before its first row.
READ_BUFFER: Final = 1 << 20


def parquet_columns(path: Path) -> list[str]:
    """The schema's names."""
    with _open(path) as file:
        names = list(file.schema_arrow.names)
    require_usable_names(names, where=path.name)
    return names


def read_parquet(path: Path) -> Iterator[Row | Rejection]:
    """Records numbered from 1."""
    with _open(path) as file:
        yield from records_of(file.iter_batches(ROWS_AT_ONCE), file=path.name)


def parquet_rows(path: Path) -> int:
    """How many there are, as the file says."""
    with _open(path) as file:
        return file.metadata.num_rows


def parquet_batches(path: Path, *, skip: int) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The schema, and the rows after ``skip`` with their types; row groups before that are not read."""
    file = _open(path)
    return file.schema_arrow, _rows_after(skip, file, path.name)


def _rows_after(skip: int, file: pq.ParquetFile, name: str) -> Iterator[pa.RecordBatch]:
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    first = 0
    while first < len(sizes) and skip >= sizes[first]:
        skip -= sizes[first]
        first += 1
    with file:
        try:
            for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=range(first, len(sizes))):
                if skip < batch.num_rows:
                    yield batch.slice(skip)
                skip = max(0, skip - batch.num_rows)
        except (pa.ArrowException, OSError) as error:
            raise DataError("a damaged file", where=name, received=str(error)) from None


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, buffer_size=READ_BUFFER)
    except (pa.ArrowException, OSError) as error:
        raise DataError("not a Parquet file", where=path.name, received=str(error)) from None
