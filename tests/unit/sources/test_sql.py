import logging
import sqlite3
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.errors import NotDownloadedError, SourceError
from luthier.sources import Access, fetch
from tests.unit.sources.conftest import PASSWORD, Fetch

URI = "sql://LUTHIER_TEST_DB"
VARIABLE = "LUTHIER_TEST_DB"
WRONG = "wr0ng/p@ss-planted"


@pytest.fixture
def sqlite(access: Access, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """A SQLite file in the project, which the variable names by a relative path."""
    monkeypatch.setenv(VARIABLE, "sqlite:///rows.db")
    connection = sqlite3.connect(access.root / "rows.db", isolation_level=None)
    connection.execute("CREATE TABLE rows (id INTEGER, text TEXT, score REAL)")
    connection.execute("INSERT INTO rows VALUES (1, 'one: 100% %s :x', 0.5), (2, NULL, 2.0)")
    yield connection
    connection.close()


@pytest.fixture
def ask(postgres: str, monkeypatch: pytest.MonkeyPatch, get: Fetch) -> Any:
    """Asks the PostgreSQL server, after statements that its owner runs."""
    import psycopg

    monkeypatch.setenv(VARIABLE, postgres)

    def ask(query: str, *before: str) -> Any:
        with psycopg.connect(postgres.replace("+psycopg", ""), autocommit=True) as owner:
            for statement in before:
                owner.execute(statement.encode())
        return get(URI, query=query)

    return ask


def _rows(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


def test_rows_come_as_they_are_and_nothing_of_the_url_with_them(sqlite: sqlite3.Connection, get: Fetch) -> None:
    query = (
        "SELECT id, text, score FROM rows WHERE text IS NULL OR text LIKE '%one: 100\\% %s :x' ESCAPE '\\' ORDER BY id;"
    )
    fetched = get(URI, query=query)
    assert _rows(fetched.path) == [
        {"id": 1, "text": "one: 100% %s :x", "score": 0.5},
        {"id": 2, "text": None, "score": 2.0},
    ]
    assert fetched.files == (fetched.path,) and fetched.uri == URI
    assert fetched.provenance == {
        "scheme": "sql",
        "name": VARIABLE,
        "dialect": "sqlite",
        "query": query.rstrip(";"),
        "sha256": fetched.fingerprint,
    }


def test_the_same_rows_are_the_same_file_and_others_are_another(sqlite: sqlite3.Connection, get: Fetch) -> None:
    first = get(URI, query="SELECT * FROM rows")
    content = first.path.read_bytes()
    assert get(URI, query="SELECT id, text, score FROM rows WHERE id > 0").path == first.path
    assert first.path.read_bytes() == content
    for other in (
        "SELECT id, text FROM rows",
        "SELECT id, text, score AS s FROM rows",
        "SELECT * FROM rows ORDER BY -id",
    ):
        assert get(URI, query=other).fingerprint != first.fingerprint
    sqlite.execute("UPDATE rows SET text = 'two' WHERE id = 2")
    assert get(URI, query="SELECT * FROM rows").fingerprint != first.fingerprint
    with pytest.raises(SourceError, match="is asked for"):
        get(URI, query="SELECT * FROM rows", sha256=first.fingerprint)


def test_a_column_that_changes_its_kind_late_is_one_column(sqlite: sqlite3.Connection, get: Fetch) -> None:
    series = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000) SELECT i, "
    late = get(URI, query=series + "CASE WHEN i = 20001 THEN 'x' ELSE i END AS a, iif(i > 15000, i, NULL) AS b FROM n")
    table = pq.read_table(late.path)
    assert [table.schema.field(name).type for name in "iab"] == [pa.int64(), pa.string(), pa.int64()]
    rows = table.to_pylist()
    assert [rows[i] for i in (0, 20000, 24999)] == [
        {"i": 1, "a": "1", "b": None},
        {"i": 20001, "a": "x", "b": 20001},
        {"i": 25000, "a": "25000", "b": 25000},
    ]


def test_no_rows_are_a_table_without_rows(sqlite: sqlite3.Connection, get: Fetch) -> None:
    table = pq.read_table(get(URI, query="SELECT id, text FROM rows WHERE 1 = 0").path)
    assert table.num_rows == 0 and table.column_names == ["id", "text"]


@pytest.mark.parametrize(
    ("query", "what"),
    [
        (None, "no query"),
        ("DELETE FROM rows", "not a reading statement"),
        ("-- SELECT\nDROP TABLE rows", "not a reading statement"),
        ("PRAGMA query_only = OFF", "not a reading statement"),
        ("SELECT 1; DELETE FROM rows", "several statements"),
        ("WITH a AS (SELECT 1) DELETE FROM rows", "the database says: attempt to write"),
        ("SELECT * FROM absent", "no such table: absent"),
        ("SELECT FROM WHERE", "syntax error"),
        ("SELECT id, id FROM rows", "columns without names of their own"),
    ],
)
def test_what_does_not_only_read_and_what_cannot_be_read_is_refused(
    sqlite: sqlite3.Connection, get: Fetch, access: Access, query: str | None, what: str
) -> None:
    with pytest.raises(SourceError, match=what):
        get(URI, query=query)
    assert sqlite.execute("SELECT count(*) FROM rows").fetchone() == (2,)
    assert not list(access.downloads.rglob("*.parquet")) and not list(access.downloads.rglob(".partial*"))


@pytest.mark.parametrize(
    "query", ["-- rows\n SELECT 1 AS a", "/* a; */ SELECT 1 AS a", "(SELECT 1 AS a)", "values (1)"]
)
def test_comments_and_brackets_may_come_first(sqlite: sqlite3.Connection, query: str) -> None:
    from luthier.sources.sql import READS

    assert READS.match(query)


def test_offline_a_database_is_never_asked(sqlite: sqlite3.Connection, access: Access) -> None:
    query = "SELECT * FROM rows"
    fetch(URI, access, query=query)
    with pytest.raises(NotDownloadedError):
        fetch(URI, replace(access, offline=True), query=query)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        (None, "is not set"),
        (f"user:{WRONG}", "holds no SQLAlchemy URL"),
        ("absent://user:wr0ng@host/db", "no driver for absent"),
        ("mysql+absent://user:wr0ng@host/db", r"no driver for mysql\+absent"),
        ("sqlite:///absent.db", "names no SQLite file"),
        ("sqlite://", "names no SQLite file"),
    ],
)
def test_a_variable_that_cannot_work_is_named_without_its_value(
    get: Fetch, access: Access, monkeypatch: pytest.MonkeyPatch, url: str | None, what: str
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if url is not None:
        monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(SourceError, match=what) as raised:
        get(URI, query="SELECT 1")
    assert "wr0ng" not in str(raised.value) and "host" not in str(raised.value).replace("HOST", "")
    assert not (access.root / "absent.db").exists()


def test_a_missing_driver_names_its_package(get: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for url in ("postgresql+psycopg://user@host/db", "postgres://user@host/db"):
        monkeypatch.setenv(VARIABLE, url)
        with pytest.raises(SourceError, match="no driver for postgresql") as raised:
            get(URI, query="SELECT 1")
        assert "pip install 'luthier[postgres]'" in str(raised.value)


def test_postgresql_gives_dates_and_decimals_as_text_and_the_rest_as_it_is(ask: Any) -> None:
    fetched = ask(
        "SELECT 1 AS i, 'a' AS t, true AS b, 0.5::float8 AS f, 1.10::numeric AS n, date '2024-02-29' AS d, "
        "timestamp '2024-02-29 12:30:00' AS s, '{\"k\": [1]}'::jsonb AS j, NULL AS z, '12:30'::text LIKE '%:3%' AS l"
    )
    assert _rows(fetched.path) == [
        {
            "i": 1,
            "t": "a",
            "b": True,
            "f": 0.5,
            "n": "1.10",
            "d": "2024-02-29",
            "s": "2024-02-29T12:30:00",
            "j": '{"k": [1]}',
            "z": None,
            "l": True,
        }
    ]
    assert fetched.provenance["dialect"] == "postgresql"
    assert PASSWORD not in repr(fetched) and "127.0.0.1" not in repr(fetched)


@pytest.mark.parametrize(
    "query",
    [
        "WITH gone AS (DELETE FROM kept RETURNING *) SELECT * FROM gone",
        "SELECT 1 AS a INTO copied",
        "SELECT nextval('counter')",
        "SELECT setval('counter', 7)",
        "SELECT E'a\\'b' ; COMMIT; DELETE FROM kept; SELECT '",
    ],
)
def test_postgresql_is_only_read(ask: Any, postgres: str, query: str) -> None:
    prepare = [
        "DROP TABLE IF EXISTS kept",
        "CREATE TABLE kept AS SELECT 1 AS a",
        "CREATE SEQUENCE IF NOT EXISTS counter",
    ]
    with pytest.raises(SourceError):
        ask(query, *prepare)
    assert _rows(ask("TABLE kept").path) == [{"a": 1}]
    assert _rows(ask("SELECT is_called, to_regclass('copied') AS c FROM counter").path) == [
        {"is_called": False, "c": None}
    ]


@pytest.mark.parametrize(
    ("query", "what"),
    [("SELECT * FROM absent", 'relation "absent" does not exist'), ("SELECT 1 FROM WHERE", "syntax error at or near")],
)
def test_what_postgresql_says_of_a_query_is_shown(ask: Any, query: str, what: str) -> None:
    with pytest.raises(SourceError, match=what):
        ask(query)


def test_a_wrong_password_and_a_dead_server_are_said_without_the_url(
    postgres: str, get: Fetch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    from urllib.parse import quote

    caplog.set_level(logging.DEBUG)
    said = []
    for url, what in [
        (postgres.replace(PASSWORD, quote(WRONG, safe="")), "password authentication failed"),
        (f"postgresql://reader:{quote(WRONG, safe='')}@127.0.0.1:9/postgres", "the database says"),
        (f"postgresql://reader:{quote(WRONG, safe='')}@127.0.0.1:9/postgres?absent={PASSWORD}", "the database"),
    ]:
        monkeypatch.setenv(VARIABLE, url)
        with pytest.raises(SourceError, match=what) as raised:
            get(URI, query="SELECT 1")
        assert raised.value.__suppress_context__
        said.append(str(raised.value))
    for text in [*said, caplog.text]:
        for secret in (WRONG, quote(WRONG, safe=""), PASSWORD, "reader", "127.0.0.1"):
            assert secret not in text


def test_a_large_table_streams_through_a_cursor_of_the_server(ask: Any) -> None:
    make = "CREATE TABLE large AS SELECT i, repeat(md5(i::text), 8) AS text FROM generate_series(1, 200000) AS i"
    fetched = ask("SELECT i, text, (SELECT count(*) FROM pg_cursors) AS cursors FROM large ORDER BY i", make)
    table = pq.ParquetFile(fetched.path)
    assert table.metadata.num_rows == 200_000 and table.metadata.num_row_groups == 20
    assert set(table.read(columns=["cursors"])["cursors"].to_pylist()) == {1}


def test_memory_is_bounded_by_a_batch_and_not_by_the_rows(
    sqlite: sqlite3.Connection, get: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.sources.sql.BATCH", 500)
    series = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
    tracemalloc.start()
    get(URI, query=series + "SELECT i, printf('%01000d', i) AS text FROM n")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6 < 20_000 * 1_000
