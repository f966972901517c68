"""A chunk of rows answered: each row has its answer, or nulls and the reason."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pyarrow as pa

from luthier.data.reading import Rejection, Row
from luthier.data.unusable import Unusable
from luthier.errors import DataError
from luthier.prediction.prompts import PromptReader

Answer = Callable[[pa.Table], pa.Table]
"""From the model's inputs to the columns of its answers, row by row. Raises DataError for rows that it refuses."""

REASON: Final = "reason"


def answered(
    records: Sequence[Row | Rejection],
    reader: PromptReader,
    answer: Answer,
    *,
    inputs: Sequence[str],
    outputs: pa.Schema,
) -> pa.Table:
    """The columns of ``outputs`` and ``reason`` for every record, in order."""
    prompts: list[dict[str, str]] = []
    places: list[int] = []
    reasons: list[str | None] = [None] * len(records)
    for place, record in enumerate(records):
        if isinstance(record, Rejection):
            reasons[place] = record.reason
            continue
        try:
            prompts.append(reader.read(record.values))
            places.append(place)
        except Unusable as unusable:
            reasons[place] = unusable.reason
    asked = pa.table({name: pa.array([p.get(name) for p in prompts], pa.string()) for name in inputs})
    parts = []
    for start, found in _tried(asked, answer):
        if isinstance(found, DataError):
            reasons[places[start]] = found.what.removesuffix(" of row 0")
            parts.append(_nulls(outputs, 1))
        else:
            parts.append(found.select(outputs.names).cast(outputs))
    return _spread(pa.concat_tables([outputs.empty_table(), *parts]), places, reasons)


def _tried(asked: pa.Table, answer: Answer, start: int = 0) -> Iterator[tuple[int, pa.Table | DataError]]:
    """Answers to all rows at once; where some are refused, to ever smaller parts until each refused row is alone."""
    if not len(asked):
        return
    try:
        found = answer(asked)
    except DataError as refused:
        if len(asked) == 1:
            yield start, refused
            return
        half = len(asked) // 2
        yield from _tried(asked[:half], answer, start)
        yield from _tried(asked[half:], answer, start + half)
    else:
        yield start, found


def _spread(found: pa.Table, places: Sequence[int], reasons: Sequence[str | None]) -> pa.Table:
    """Rows at their places among all, nulls between."""
    order: list[int | None] = [None] * len(reasons)
    for row, place in enumerate(places):
        order[place] = row
    whole = pa.concat_tables([found, _nulls(found.schema, 1)]).combine_chunks()
    table = whole.take(pa.array([len(found) if row is None else row for row in order], pa.int64()))
    return table.append_column(REASON, pa.array(reasons, pa.string()))


def _nulls(schema: pa.Schema, rows: int) -> pa.Table:
    return pa.Table.from_arrays([pa.nulls(rows, field.type) for field in schema], schema=schema)
