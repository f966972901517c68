import pytest

from luthier.errors import SourceError
from luthier.secrets import require_no_secret
from luthier.sources import SCHEMES, Access, fetch
from tests.unit.sources.conftest import Fetch

SECRET = "s3cr3t-planted"


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("whel://a==1/b", "did you mean wheel://"),
        ("ftp://host/a.csv", "hub://"),
        ("http://host/a.csv", "did you mean https://"),
        ("javascript:alert(1)", "starts with ./"),
        ("data:text/csv,a", "starts with ./"),
        ("notes:monday.csv", "starts with ./"),
    ],
)
def test_an_unknown_scheme_names_the_nearest_or_all(get: Fetch, uri: str, hint: str) -> None:
    with pytest.raises(SourceError, match="unknown scheme") as raised:
        get(uri)
    assert hint in str(raised.value)


@pytest.mark.parametrize("uri", [r"C:\rows\a.csv", "c:/rows/a.csv", "d:a.csv"])
def test_a_drive_is_not_a_scheme(get: Fetch, uri: str) -> None:
    with pytest.raises(SourceError, match="a path with a drive"):
        get(uri)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_known_scheme_without_slashes_says_how_it_is_written(get: Fetch, scheme: str) -> None:
    with pytest.raises(SourceError, match=f"write {scheme}://"):
        get(f"{scheme}:rest")


def test_a_path_may_have_a_colon(get: Fetch, access: Access) -> None:
    (access.root / "a:b.csv").touch()
    assert get("./a:b.csv").path.name == "a:b.csv"


def test_a_digest_that_is_none_or_another_than_the_argument_is_refused(get: Fetch, access: Access) -> None:
    (access.root / "a.csv").touch()
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert get(f"a.csv#sha256={empty.upper()}", sha256=empty).uri == "a.csv"
    for uri, sha256 in [("a.csv#sha256=12", None), (f"a.csv#sha256={empty}", "0" * 64), ("a.csv#sha256=", empty)]:
        with pytest.raises(SourceError):
            get(uri, sha256=sha256)


@pytest.mark.parametrize("uri", ["a.csv", "wheel://a==1/b", "hub://o/n", "s3://bucket/a.csv", "https://host/a.csv"])
def test_a_query_is_for_databases_only(get: Fetch, uri: str) -> None:
    with pytest.raises(SourceError, match="a query for a source of"):
        get(uri, query="SELECT 1")


@pytest.mark.parametrize(
    "uri",
    [
        f"postgresql://user:{SECRET}@host/db",
        f"postgresql://user:{SECRET}/slash@host/db",
        f"sql://postgresql://user:{SECRET}@host/db",
        f"sql://{SECRET}.not-a-name",
        f"sql:user:{SECRET}@host",
        f"s3://KEY:{SECRET}@bucket/a.csv",
        f"https://user:{SECRET}@host/a.csv",
        f"https://{SECRET}@host/a.csv",
        f"file://user:{SECRET}@host/a.csv",
        f"hub://user:{SECRET}@o/n",
        f"wheel://user:{SECRET}@a==1/b",
        f"ftp://user:{SECRET}@host/a.csv",
        f"https://host/a.csv?token={SECRET}",
        f"https://host/a.csv?x=1&X-Amz-Signature={SECRET}",
        f"https://account/a.csv?sv=1&sig={SECRET}",
        f"https://host/a.csv?api_key={SECRET}#sha256={'0' * 64}",
        f"http://host/a.csv?password={SECRET}",
    ],
)
def test_a_secret_in_a_source_is_refused_and_not_repeated(
    get: Fetch, uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SourceError) as raised:
        get(uri, **({"query": "SELECT 1"} if uri.startswith("sql:") else {}))
    assert SECRET not in f"{raised.value} {vars(raised.value)} {caplog.text}"
    assert raised.value.remedy and "environment" in raised.value.remedy


@pytest.mark.parametrize(
    "uri",
    [
        "hub://datasets/o/n@main/data/*.parquet",
        "wheel://a==1!2.0/b@c.csv",
        "s3://bucket/time=12:30/me@home.csv",
        "abfs://rows@account.dfs.core.windows.net/a.csv",
        "https://host/a.csv?page=2&signed=no",
        "docstrings://numpy,scipy?rows=summary",
        "/rows/a:b@c.csv",
        "sql://LUTHIER_DB",
    ],
)
def test_addresses_without_secrets_pass(uri: str) -> None:
    require_no_secret(uri)


def test_every_scheme_takes_the_same_arguments(access: Access) -> None:
    for scheme in SCHEMES:
        with pytest.raises(SourceError):
            fetch(f"{scheme}://", access)
