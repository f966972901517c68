"""raw_data: a source's rows in Parquet, as they were read."""

import json
import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.reading import Rejection, Row, column_names, read_rows
from luthier.errors import DataError
from luthier.sources.fetched import Fetched

log = logging.getLogger(__name__)

ROWS_PER_BATCH = 50_000
REJECTED = pa.schema([("file", pa.string()), ("line", pa.int64()), ("reason", pa.string()), ("raw", pa.string())])


@dataclass(frozen=True)
class RawFacts:
    """What was read."""

    source: str
    fingerprint: str
    provenance: dict[str, str]
    columns: list[str]
    rows: int
    rejected: int
    rejected_by_reason: dict[str, int]


def write_raw_data(fetched: Fetched, folder: Path, *, required_columns: Collection[str]) -> RawFacts:
    """Writes ``rows.parquet`` (all values strings, with ``_file`` and ``_line``), ``rejected.parquet``, ``facts.json``.

    Raises:
        DataError: no data file, no header, or a required column is not there.
    """
    columns = column_names(fetched.path)
    require_columns(columns, required_columns, where=fetched.uri)
    name = fetched.path.name
    schema = pa.schema([(column, pa.string()) for column in columns] + [("_file", pa.string()), ("_line", pa.int64())])
    rejections: list[Rejection] = []
    rows = 0
    with pq.ParquetWriter(folder / "rows.parquet", schema) as writer:
        batch: list[dict[str, str | int | None]] = []
        for record in read_rows(fetched.path):
            if isinstance(record, Rejection):
                rejections.append(record)
                continue
            batch.append(_as_record(record, columns, name))
            rows += 1
            if len(batch) == ROWS_PER_BATCH:
                writer.write_table(pa.Table.from_pylist(batch, schema))
                batch = []
        writer.write_table(pa.Table.from_pylist(batch, schema))
    rejected = [{"file": name, **asdict(rejection)} for rejection in rejections]
    pq.write_table(pa.Table.from_pylist(rejected, REJECTED), folder / "rejected.parquet")
    reasons = dict(Counter(rejection.reason for rejection in rejections).most_common())
    facts = RawFacts(fetched.uri, fetched.fingerprint, fetched.provenance, columns, rows, len(rejections), reasons)
    (folder / "facts.json").write_text(json.dumps(asdict(facts), indent=2))
    log.info("%d rows read, %d rejected", rows, len(rejections))
    return facts


def require_columns(columns: Collection[str], required: Collection[str], *, where: str) -> None:
    """Raises a DataError that names every missing column and the nearest there is."""
    if missing := sorted(set(required) - set(columns)):
        near = {name: get_close_matches(name, columns, n=1, cutoff=0.5) for name in missing}
        hints = [f"{found[0]!r} for {name!r}" for name, found in near.items() if found]
        remedy = f"did you mean {', '.join(hints)}?" if hints else f"the source has {', '.join(columns)}"
        raise DataError("no such column", where=where, received=missing, remedy=remedy)


def preview(folder: Path, rows: int = 5) -> list[dict[str, str]]:
    """The first rows, for people."""
    batch = next(pq.ParquetFile(folder / "rows.parquet").iter_batches(batch_size=rows), None)
    return batch.to_pylist() if batch else []


def _as_record(row: Row, columns: list[str], file: str) -> dict[str, str | int | None]:
    return {**{column: row.values.get(column) for column in columns}, "_file": file, "_line": row.line}
