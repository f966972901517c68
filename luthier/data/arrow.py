"""Arrow IPC files and streams, Feather too: values become texts as in Parquet."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from luthier.data.records import Rejection, Row, as_json, json_text, require_usable_names, unreadable
from luthier.errors import DataError

ROWS_AT_ONCE = 8192
UNDECODABLE = "\udcff"
BYTES_OF = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}


def arrow_columns(path: Path) -> list[str]:
    """The schema's names."""
    with _open(path) as reader:
        names = list(reader.schema.names)
    require_usable_names(names, where=path.name)
    return names


def read_arrow(path: Path) -> Iterator[Row | Rejection]:
    """Records numbered from 1."""
    with _open(path) as reader:
        yield from records_of(_batches(reader), file=path.name)


def arrow_rows(path: Path) -> int:
    """How many there are, which only reading them tells."""
    return sum(batch.num_rows for batch in _rows_after(0, path))


def arrow_batches(path: Path, *, skip: int) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The schema, and the rows after ``skip`` with their types."""
    with _open(path) as reader:
        schema = reader.schema
    return schema, _rows_after(skip, path)


def _rows_after(skip: int, path: Path) -> Iterator[pa.RecordBatch]:
    with _open(path) as reader:
        try:
            for batch in _batches(reader):
                if skip < batch.num_rows:
                    yield batch.slice(skip)
                skip = max(0, skip - batch.num_rows)
        except (pa.ArrowException, OSError) as error:
            raise DataError("a damaged file", where=path.name, received=str(error)) from None


def records_of(batches: Iterable[pa.RecordBatch], *, file: str) -> Iterator[Row | Rejection]:
    """The records of batches, numbered from 1; a text that is no UTF-8 costs its own row only."""
    number = 0
    try:
        for batch in batches:
            names, columns = batch.schema.names, [_texts(column) for column in batch.columns]
            for texts in zip(*columns, strict=True):
                number += 1
                values = dict(zip(names, texts, strict=True))
                problem = unreadable(texts)
                if problem:
                    yield Rejection(file, number, problem, problem, as_json(values))
                else:
                    yield Row(file, number, values)
    except (pa.ArrowException, OSError) as error:
        raise DataError("a damaged file", where=file, received=str(error)) from None


@contextmanager
def _open(path: Path) -> Iterator[pa.RecordBatchReader | pa.RecordBatchFileReader]:
    with pa.OSFile(str(path)) as file:
        is_file = file.read(6) == b"ARROW1"
        file.seek(0)
        try:
            reader = pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
        except (pa.ArrowException, OSError) as error:
            raise DataError("not an Arrow file", where=path.name, received=str(error)) from None
        yield reader


def _batches(reader: pa.RecordBatchReader | pa.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
    is_file = isinstance(reader, pa.RecordBatchFileReader)
    for batch in map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader:
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            yield batch.slice(start, ROWS_AT_ONCE)


def _texts(column: pa.Array) -> list[str | None]:
    if pa.types.is_dictionary(column.type):
        column.validate(full=True)
        column = column.dictionary_decode()
    if column.type in BYTES_OF:
        return _strings(column)
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        return _strings(column.cast(pa.string()))
    return [_text(value) for value in _values(column)]


def _strings(column: pa.Array) -> list[str | None]:
    encoded = column.view(BYTES_OF[column.type])
    encoded.validate(full=True)
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return [None if value is None else _text(value) for value in encoded.to_pylist()]
    texts: list[str | None] = column.to_numpy(zero_copy_only=False).tolist()
    return texts


def _values(column: pa.Array) -> Iterator[Any]:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise
    for value in column:
        try:
            yield value.as_py()
        except UnicodeDecodeError:
            yield UNDECODABLE


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="surrogateescape")
    if isinstance(value, float) and math.isnan(value):
        return None
    return json_text(value) if isinstance(value, bool | int | float | str | list | dict | None) else str(value)
