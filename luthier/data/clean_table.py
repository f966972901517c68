"""All rows of raw_data cleaned: an Arrow file that is read through a memory map, and arrays with a value a row."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from luthier.data.cleaning import Cleaner, CleanRow, Dropped
from luthier.data.content import digests
from luthier.data.near_duplicates import Banding, band_hashes
from luthier.data.raw import ROWS
from luthier.data.text import joined
from luthier.data.workers import ROWS_AT_ONCE, in_order
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.recipe.data_section import DataSection

SPANS = pa.list_(pa.struct({"start": pa.int64(), "end": pa.int64(), "label": pa.string()}))
TARGETS = {
    "single": pa.string(),
    "multi": pa.list_(pa.string()),
    "number": pa.float64(),
    "spans": SPANS,
    "tags": SPANS,
    "answers": SPANS,
    "text": pa.string(),
}
DROPPED_SCHEMA = pa.schema({"row": pa.int64(), "kind": pa.string(), "reason": pa.string()})


@dataclass(frozen=True)
class CleanTable:
    """``table`` has a line a usable row; ``content`` (digests of the keys) and ``bands`` go with it.

    ``labels`` are those that the recipe lists, if any. Columns: row, file, line, text, pair, messages, key, label (its
    type follows from label_kind), label_key (the label as one text), id, group, time, split, slices.
    """

    table: pa.Table
    label_kind: str
    labels: list[str]
    content: np.ndarray
    bands: np.ndarray
    dropped: pa.Table
    pii: dict[str, int]

    def __len__(self) -> int:
        return self.table.num_rows

    def column(self, name: str) -> np.ndarray:
        """A column of numbers; missing ones are NaN."""
        return self.table[name].to_numpy()

    def said(self, row: int | np.integer) -> str:
        """The text of a row, with its pair if it has one."""
        text, pair = (self.table[name][int(row)].as_py() for name in ("text", "pair"))
        return joined(text, pair)

    def codes(self, name: str) -> np.ndarray:
        """A number for every value of a column of texts, from 0 in order of appearance; -1 where it is missing."""
        encoded = self.table[name].combine_chunks().dictionary_encode()
        encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
        return encoded.indices.fill_null(-1).to_numpy()


@dataclass(frozen=True)
class TokenLimit:
    """How long a text may be for the model: ``count`` gives the tokens of texts, or of texts and their pairs."""

    count: Callable[..., Sequence[int]]
    most: int


@dataclass(frozen=True)
class CleanBatch:
    """What a worker makes of one batch of raw rows."""

    rows: pa.RecordBatch
    content: np.ndarray
    bands: np.ndarray
    dropped: list[Dropped]
    pii: Counter[str]


@dataclass(frozen=True)
class BatchCleaner:
    """Cleans one batch of raw rows; sent to worker processes."""

    cleaner: Cleaner
    schema: pa.Schema
    banding: Banding

    def __call__(self, batch: tuple[int, pa.RecordBatch]) -> CleanBatch:
        start, raw = batch
        outcomes = [self.cleaner.clean(start + offset, row) for offset, row in enumerate(raw.to_pylist())]
        rows = [outcome for outcome in outcomes if isinstance(outcome, CleanRow)]
        keys = [row.key for row in rows]
        pii: Counter[str] = Counter()
        for row in rows:
            pii.update(row.pii)
        columns = [pa.array([self._value(row, field.name) for row in rows], type=field.type) for field in self.schema]
        return CleanBatch(
            rows=pa.RecordBatch.from_arrays(columns, schema=self.schema),
            content=digests(keys),
            bands=band_hashes(keys, self.banding),
            dropped=[outcome for outcome in outcomes if isinstance(outcome, Dropped)],
            pii=pii,
        )

    @staticmethod
    def _value(row: CleanRow, name: str) -> Any:
        if name == "label":
            return row.target
        if name == "label_key":
            return row.target if isinstance(row.target, str) else json.dumps(row.target, ensure_ascii=False)
        return getattr(row, name)


def clean_schema(label_kind: str) -> pa.Schema:
    """The columns of a CleanTable."""
    texts = dict.fromkeys(("id", "group", "split", "slices"), pa.string())
    return pa.schema(
        {
            "row": pa.int64(),
            "file": pa.string(),
            "line": pa.int64(),
            "text": pa.large_string(),
            "pair": pa.large_string(),
            "messages": pa.large_string(),
            "key": pa.large_string(),
            "label": TARGETS[label_kind],
            "label_key": pa.large_string(),
            "time": pa.float64(),
            **texts,
        }
    )


def texts_of(rows: pa.RecordBatch) -> list[list[str]]:
    """The texts that a model reads: one of each row, or both where rows are pairs."""
    names = ["text"] if rows["pair"].null_count == len(rows) else ["text", "pair"]
    return [rows[name].to_pylist() for name in names]


def clean_rows(
    raw: Path, data: "DataSection", columns: Sequence[str], *, scratch: Path, limit: TokenLimit | None = None
) -> CleanTable:
    """Clean every row of a raw_data folder; files in ``scratch`` must outlive the table.

    ``limit`` is needed when the recipe drops or refuses over-long texts. Raises DataError.
    """
    schema, banding = clean_schema(data.label_kind), Banding.for_threshold(data.duplicates.threshold)
    cleaner = Cleaner(data, columns)
    work = BatchCleaner(cleaner, schema, banding)
    dropped: list[Dropped] = []
    content: list[np.ndarray] = []
    pii: Counter[str] = Counter()
    with (
        pq.ParquetFile(raw / ROWS) as file,
        pa.ipc.new_file(str(scratch / "clean.arrow"), schema) as writer,
        (scratch / "bands.bin").open("wb") as bands,
    ):
        for cleaned in in_order(work, _batches(file), rows=file.metadata.num_rows):
            refuse = data.cleaning.over_long == "refuse"
            batch = cleaned if limit is None else _within(cleaned, limit, refuse=refuse)
            writer.write_batch(batch.rows)
            bands.write(np.ascontiguousarray(batch.bands).tobytes())
            content.append(batch.content)
            dropped += batch.dropped
            pii += batch.pii
    table = pa.ipc.open_file(pa.memory_map(str(scratch / "clean.arrow"))).read_all()
    return CleanTable(
        table=table,
        label_kind=data.label_kind,
        labels=cleaner.labels,
        content=np.concatenate([digests([]), *content]),
        bands=_mapped(scratch / "bands.bin", (table.num_rows, banding.bands)),
        dropped=_dropped_table(dropped),
        pii=dict(pii),
    )


def _batches(file: pq.ParquetFile) -> Iterator[tuple[int, pa.RecordBatch]]:
    start = 0
    for batch in file.iter_batches(ROWS_AT_ONCE):
        yield start, batch
        start += batch.num_rows


def _within(batch: CleanBatch, limit: TokenLimit, *, refuse: bool) -> CleanBatch:
    tokens = np.asarray(limit.count(*texts_of(batch.rows)), dtype=np.int64)
    fits = tokens <= limit.most
    if fits.all():
        return batch
    long = [
        Dropped(row, "over-long text", f"{count} tokens, max_length is {limit.most}")
        for row, count in zip(pc.filter(batch.rows["row"], ~fits).to_pylist(), tokens[~fits], strict=True)
    ]
    if refuse:
        raise DataError(
            "a text is longer than the model reads",
            where=f"row {long[0].row + 1}",
            received=long[0].reason,
            remedy="raise training.max_length, or set data.cleaning.over_long to truncate or drop",
        )
    return CleanBatch(
        batch.rows.filter(fits), batch.content[fits], batch.bands[fits], [*batch.dropped, *long], batch.pii
    )


def _mapped(path: Path, shape: tuple[int, int]) -> np.ndarray:
    if not shape[0]:
        return np.empty(shape, dtype=np.uint64)
    return np.memmap(path, dtype=np.uint64, mode="r", shape=shape)


def _dropped_table(dropped: Sequence[Dropped]) -> pa.Table:
    columns = [[getattr(drop, name) for drop in dropped] for name in DROPPED_SCHEMA.names]
    return pa.table([pa.array(c, type=f.type) for c, f in zip(columns, DROPPED_SCHEMA, strict=True)], DROPPED_SCHEMA)
