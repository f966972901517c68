"""rejected.parquet: every record that is in no split, with file, line, kind of reason, reason and content."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.raw import REJECTED, REJECTED_SCHEMA, ROWS
from luthier.data.records import RESERVED, as_json
from luthier.data.workers import ROWS_AT_ONCE

# Kind of reason, and reason.
Why = tuple[str, str]


def write_rejected(raw: Path, folder: Path, reasons: Mapping[int, Why]) -> None:
    """Records that raw_data could not read, and the rows in ``reasons`` (by index), by file and line."""
    rows = pa.Table.from_batches(_rejected(raw, reasons), REJECTED_SCHEMA)
    unreadable = pq.read_table(raw / REJECTED, schema=REJECTED_SCHEMA)
    rejected = pa.concat_tables([unreadable, rows])
    pq.write_table(rejected.sort_by([("file", "ascending"), ("line", "ascending")]), folder / REJECTED)


def _rejected(raw: Path, reasons: Mapping[int, Why]) -> Iterator[pa.RecordBatch]:
    start = 0
    with pq.ParquetFile(raw / ROWS) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            chosen = [offset for offset in range(batch.num_rows) if start + offset in reasons]
            records = [
                {
                    "file": row["_file"],
                    "line": row["_line"],
                    "kind": reasons[start + offset][0],
                    "reason": reasons[start + offset][1],
                    "raw": as_json({name: value for name, value in row.items() if name not in RESERVED}),
                }
                for offset, row in zip(chosen, batch.take(pa.array(chosen, pa.int64())).to_pylist(), strict=True)
            ]
            yield pa.RecordBatch.from_pylist(records, REJECTED_SCHEMA)
            start += batch.num_rows
