"""raw_data: the sources' rows as they were read, the records that are no rows, and the facts about both."""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.reading import Rejection, Row, column_names, read_rows
from luthier.data.tables import BatchWriter, read_facts, write_facts
from luthier.errors import DataError
from luthier.sources.fetched import Fetched

log = logging.getLogger(__name__)

ROWS, REJECTED, FACTS = "rows.parquet", "rejected.parquet", "facts.json"
REJECTED_SCHEMA = pa.schema(
    {"file": pa.string(), "line": pa.int64(), "kind": pa.string(), "reason": pa.string(), "raw": pa.string()}
)


@dataclass(frozen=True)
class RawSource:
    """A source that is here, and the split that the recipe gives its rows, if it does."""

    fetched: Fetched
    split: str | None = None

    @property
    def files(self) -> dict[str, Path]:
        """The data files by the names that rows know them by."""
        if self.fetched.path.is_file():
            return {self.fetched.path.name: self.fetched.path}
        return {path.relative_to(self.fetched.path).as_posix(): path for path in self.fetched.files}


@dataclass(frozen=True)
class SourceFacts:
    """Where rows came from; ``fingerprint`` is of the content."""

    uri: str
    split: str | None
    fingerprint: str
    provenance: dict[str, str]


@dataclass(frozen=True)
class RawFacts:
    """What was read: columns, counts, and the sources."""

    columns: list[str]
    rows: int
    rejected: int
    rejected_by_reason: dict[str, int]
    sources: list[SourceFacts]

    @property
    def where(self) -> str:
        """The sources' addresses."""
        return ", ".join(source.uri for source in self.sources)


def write_raw_data(
    sources: Sequence[RawSource],
    folder: Path,
    *,
    required_columns: Collection[str],
    form: str | None = None,
    pattern: str | None = None,
) -> RawFacts:
    """Write rows.parquet, rejected.parquet and facts.json. Raises DataError."""
    columns = _columns(sources, required_columns, form, pattern)
    folder.mkdir(parents=True, exist_ok=True)
    texts = dict.fromkeys(columns, pa.string())
    schema = pa.schema({**texts, "_file": pa.string(), "_line": pa.int64(), "_split": pa.string()})
    reasons: Counter[str] = Counter()
    with BatchWriter(folder / ROWS, schema) as rows, BatchWriter(folder / REJECTED, REJECTED_SCHEMA) as rejected:
        for file, split, record in _records(sources, form, pattern):
            if isinstance(record, Rejection):
                reasons[record.kind] += 1
                rejected.add((file, record.line, record.kind, record.reason, record.raw))
            else:
                rows.add((*map(record.values.get, columns), file, record.line, split))
    facts = RawFacts(
        columns=columns,
        rows=rows.count,
        rejected=rejected.count,
        rejected_by_reason=dict(sorted(reasons.items())),
        sources=[SourceFacts(s.fetched.uri, s.split, s.fetched.fingerprint, s.fetched.provenance) for s in sources],
    )
    write_facts(folder / FACTS, asdict(facts))
    log.info("%d rows read, %d rejected", facts.rows, facts.rejected)
    return facts


def read_raw_facts(folder: Path) -> RawFacts:
    """The facts of a raw_data folder."""
    facts = read_facts(folder / FACTS)
    return RawFacts(**{**facts, "sources": [SourceFacts(**source) for source in facts["sources"]]})


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


def _columns(
    sources: Sequence[RawSource], required: Collection[str], form: str | None, pattern: str | None
) -> list[str]:
    """Every column that some file has; all files must have the required ones."""
    found: dict[str, None] = {}
    for source in sources:
        for name, path in source.files.items():
            columns = column_names(path, form, pattern)
            where = source.fetched.uri if len(source.files) == 1 else f"{source.fetched.uri}, file {name}"
            require_columns(columns, required, where=where)
            found |= dict.fromkeys(columns)
    return list(found)


def _records(
    sources: Sequence[RawSource], form: str | None, pattern: str | None
) -> Iterator[tuple[str, str | None, Row | Rejection]]:
    names = Counter(name for source in sources for name in source.files)
    for source in sources:
        for name, path in source.files.items():
            uri = source.fetched.uri if source.fetched.path.is_file() else f"{source.fetched.uri}/{name}"
            for record in read_rows(path, form, pattern):
                yield name if names[name] == 1 else uri, source.split, record
