"""``sql://NAME``: what a query gives, where the environment variable NAME holds the database's SQLAlchemy URL."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.errors import NotDownloadedError, SourceError
from luthier.sources.access import Access
from luthier.sources.fetched import Fetched, require_digest

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, CursorResult

BATCH = 10_000
NAME = re.compile("sql://([A-Za-z_][A-Za-z0-9_]*)", re.I)
READS = re.compile(r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(?:SELECT|WITH|VALUES|TABLE)\b", re.I | re.S)
BEFORE = {
    "postgresql": ("SET TRANSACTION READ ONLY", "SET LOCAL synchronize_seqscans = off"),
    "sqlite": ("PRAGMA query_only = ON",),
}
PACKAGES = {"postgresql": "'luthier[postgres]'", "mysql": "pymysql", "mariadb": "pymysql", "mssql": "pyodbc"}


def fetch_sql(uri: str, access: Access, *, sha256: str | None, query: str | None) -> Fetched:
    """The rows of one reading statement as a Parquet file; dates and decimals are text.

    The fingerprint is of the rows in their order. Where the dialect can, the transaction is read-only.
    """
    match = NAME.fullmatch(uri)
    if match is None:
        remedy = "write sql://NAME, where NAME is an environment variable that holds the database's URL"
        raise SourceError("not the name of an environment variable", remedy=remedy)
    statement = _statement(query, uri)
    if access.offline:
        raise NotDownloadedError("a database is not asked offline", where=uri, remedy="run it online")
    url = _url(match[1], access.root, uri)
    folder = access.downloads / "sql"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as scratch:
        with _explained(url, uri), _connection(url, uri) as connection:
            rows, fingerprint = _write_rows(_ask(connection, statement), Path(scratch), uri)
        path = folder / f"{fingerprint}.parquet"
        rows.replace(path)
    require_digest(fingerprint, sha256, where=uri, remedy="correct sha256, or the query")
    dialect = url.get_backend_name()
    provenance = {"scheme": "sql", "name": match[1], "dialect": dialect, "query": statement, "sha256": fingerprint}
    return Fetched(path, uri, fingerprint, provenance, (path,))


def _statement(query: str | None, uri: str) -> str:
    if query is None:
        raise SourceError("no query", where=uri, remedy="say what the database is asked in data.query")
    statement = query.strip().rstrip("; \n\t")
    if not READS.match(statement):
        remedy = "start it with SELECT, WITH, VALUES or TABLE"
        raise SourceError("not a reading statement", received=query, remedy=remedy)
    if ";" in statement:
        raise SourceError("several statements", received=query, remedy="write one, and CHR(59) for a ; in a text")
    return statement


def _url(name: str, root: Path, uri: str) -> "URL":
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    form = "set it to a URL such as postgresql://USER@HOST/DATABASE or sqlite:///rows.db"
    if name not in os.environ:
        raise SourceError(f"the environment variable {name} is not set", where=uri, remedy=form)
    try:
        url = make_url(os.environ[name])
    except (ArgumentError, ValueError):
        raise SourceError(f"{name} holds no SQLAlchemy URL", where=uri, remedy=form) from None
    if url.get_backend_name() != "sqlite":
        return url.set(drivername="postgresql") if url.drivername == "postgres" else url
    path = root / (url.database or "")
    if not path.is_file():
        remedy = "correct it: relative paths start at the project"
        raise SourceError(f"{name} names no SQLite file", where=uri, remedy=remedy)
    return url.set(database=str(path))


@contextmanager
def _connection(url: "URL", uri: str) -> "Iterator[Connection]":
    from sqlalchemy import create_engine
    from sqlalchemy.exc import NoSuchModuleError
    from sqlalchemy.pool import NullPool

    dialect = url.get_backend_name()
    try:
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    except (ImportError, NoSuchModuleError):
        remedy = f"pip install {PACKAGES.get(dialect, 'the driver of its dialect')}"
        raise SourceError(f"no driver for {url.drivername}", where=uri, remedy=remedy) from None
    with engine.connect() as connection:
        for command in BEFORE.get(dialect, ()):
            connection.exec_driver_sql(command)
        yield connection


def _ask(connection: "Connection", statement: str) -> "CursorResult[Any]":
    # Without no_parameters a % in the statement would be taken for a parameter.
    options = {"stream_results": True, "yield_per": BATCH, "no_parameters": True}
    return connection.exec_driver_sql(statement, execution_options=options)


def _write_rows(result: "CursorResult[Any]", scratch: Path, uri: str) -> tuple[Path, str]:
    """Batches go to files of their own first: only after the last row is a column's type known."""
    names = list(result.keys())
    if len(set(names)) < len(names) or not names:
        raise SourceError("columns without names of their own", where=uri, received=names, remedy="name them with AS")
    digest = hashlib.sha256(json.dumps(names).encode())
    parts: list[Path] = []
    kinds = [pa.null()] * len(names)
    for batch in result.partitions(BATCH):
        rows = [[_plain(value) for value in row] for row in batch]
        digest.update("".join(json.dumps(row, default=bytes.hex) + "\n" for row in rows).encode())
        columns = [_array(column) for column in zip(*rows, strict=True)]
        kinds = [_common(kind, column.type) for kind, column in zip(kinds, columns, strict=True)]
        parts.append(scratch / f"{len(parts)}.parquet")
        pq.write_table(pa.table(columns, names), parts[-1])
    found = [pa.string() if pa.types.is_null(kind) else kind for kind in kinds]
    schema = pa.schema(list(zip(names, found, strict=True)))
    path = scratch / "rows.parquet"
    with pq.ParquetWriter(path, schema) as writer:
        for part in parts:
            writer.write_table(pq.read_table(part).cast(schema))
    return path, digest.hexdigest()


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return bytes(value) if isinstance(value, bytearray | memoryview) else str(value)


def _array(values: Sequence[object]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # SQLite: texts and numbers in one column
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    return pa.float64() if {one, other} == {pa.int64(), pa.float64()} else pa.string()


@contextmanager
def _explained(url: "URL", uri: str) -> Iterator[None]:
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    remedy = "check the query, and the URL that the environment variable holds"
    try:
        yield
    except SourceError:
        raise
    except DBAPIError as error:
        said = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
        raise SourceError(f"the database says: {_without_secrets(said, url)}", where=uri, remedy=remedy) from None
    except (SQLAlchemyError, TypeError, ValueError, OSError) as error:
        raise SourceError(f"the database cannot be read: {type(error).__name__}", where=uri, remedy=remedy) from None


def _without_secrets(text: str, url: "URL") -> str:
    given = [str(value) for values in url.normalized_query.values() for value in values]
    for secret in filter(None, [url.password, *given]):
        text = text.replace(str(secret), "(secret)")
    for name in filter(None, [url.username, url.host]):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "(secret)", text)
    return text
