"""raw_data: a source's rows as they were read, the records that are no rows, and the facts about both."""

import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.reading import Rejection, column_names, read_rows
from luthier.data.tables import BatchWriter, read_facts, write_facts
from luthier.errors import DataError
from luthier.sources.fetched import Fetched

log = logging.getLogger(__name__)

ROWS, REJECTED, FACTS = "rows.parquet", "rejected.parquet", "facts.json"
REJECTED_SCHEMA = pa.schema({"file": pa.string(), "line": pa.int64(), "reason": pa.string(), "raw": pa.string()})


@dataclass(frozen=True)
class RawFacts:
    """What was read: counts, the source and its fingerprint."""

    columns: list[str]
    rows: int
    rejected: int
    rejected_by_reason: dict[str, int]
    fingerprint: str
    provenance: dict[str, str]
    source: str


def write_raw_data(fetched: Fetched, folder: Path, *, required_columns: Collection[str]) -> RawFacts:
    """Write rows.parquet, rejected.parquet and facts.json. Raises DataError."""
    columns = column_names(fetched.path)
    require_columns(columns, required_columns, where=fetched.uri)
    folder.mkdir(parents=True, exist_ok=True)
    schema = pa.schema({**dict.fromkeys(columns, pa.string()), "_file": pa.string(), "_line": pa.int64()})
    reasons: Counter[str] = Counter()
    with BatchWriter(folder / ROWS, schema) as rows, BatchWriter(folder / REJECTED, REJECTED_SCHEMA) as rejected:
        for record in read_rows(fetched.path):
            if isinstance(record, Rejection):
                reasons[record.kind] += 1
                rejected.add((record.file, record.line, record.reason, record.raw))
            else:
                rows.add((*(record.values.get(column) for column in columns), record.file, record.line))
    facts = RawFacts(
        columns=columns,
        rows=rows.count,
        rejected=rejected.count,
        rejected_by_reason=dict(sorted(reasons.items())),
        fingerprint=fetched.fingerprint,
        provenance=fetched.provenance,
        source=fetched.uri,
    )
    write_facts(folder / FACTS, asdict(facts))
    log.info("%d rows read, %d rejected", facts.rows, facts.rejected)
    return facts


def read_raw_facts(folder: Path) -> RawFacts:
    """The facts of a raw_data folder."""
    return RawFacts(**read_facts(folder / FACTS))


def preview(folder: Path, rows: int = 5) -> list[dict[str, str | None]]:
    """The first rows, for people."""
    with pq.ParquetFile(folder / ROWS) as file:
        batch = next(file.iter_batches(rows), None)
    return [] if batch is None else batch.to_pylist()


def require_columns(columns: Collection[str], required: Collection[str], *, where: str) -> None:
    """Raises one DataError for all columns that are missing, with the nearest names."""
    missing = sorted(set(required) - set(columns))
    if not missing:
        return
    near = {name: get_close_matches(name, columns, n=1) for name in missing}
    hints = [f"{found[0]!r} for {name!r}" for name, found in near.items() if found]
    there = f"the columns are {', '.join(map(repr, list(columns)[:30]))}"
    remedy = f"did you mean {', '.join(hints)}? {there}" if hints else there
    raise DataError(f"no column {', '.join(map(repr, missing))}", where=where, remedy=remedy)
