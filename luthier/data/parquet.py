"""Parquet: values become the texts that JSON writes; a number that is no number is a missing value."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.arrow import ROWS_AT_ONCE, records_of
from luthier.data.records import Rejection, Row, require_usable_names
from luthier.errors import DataError


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


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError("not a Parquet file", where=path.name, received=str(error)) from None
