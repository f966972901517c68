import importlib
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from luthier.digest import file_digest
from luthier.errors import NotDownloadedError, SourceError
from luthier.sources import Access, fetch
from tests.unit.sources.conftest import Fetch

SECRET = "wJalr-planted-secret"


class Bucket:
    """A bucket of its own on the test's S3 server."""

    def __init__(self, name: str, endpoint: str):
        import boto3

        self.uri = f"s3://{name}"
        self._name = name
        self._client: Any = boto3.client("s3", endpoint_url=endpoint)
        self._client.create_bucket(Bucket=name)

    def put(self, objects: dict[str, str]) -> None:
        for key, text in objects.items():
            self._client.put_object(Bucket=self._name, Key=key, Body=text.encode())

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self._name, Key=key)


@pytest.fixture
def bucket(s3_endpoint: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAPLANTED")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return Bucket(f"bucket-{len(request.session.items)}-{request.session.items.index(request.node)}", s3_endpoint)


def _inodes(files: tuple[Path, ...]) -> list[int]:
    return [file.stat().st_ino for file in files]


def test_a_changed_object_has_another_fingerprint_and_a_touched_one_has_not(bucket: Bucket, get: Fetch) -> None:
    bucket.put({"rows.csv": "text\none\n"})
    first = get(f"{bucket.uri}/rows.csv")
    assert first.path.name == "rows.csv" and first.files == (first.path,)
    assert first.fingerprint == file_digest(first.path) == first.provenance["sha256"]
    bucket.put({"rows.csv": "text\none\n"})
    assert get(f"{bucket.uri}/rows.csv") == first
    bucket.put({"rows.csv": "text\ntwo\n"})
    assert get(f"{bucket.uri}/rows.csv").fingerprint != first.fingerprint
    assert first.path.read_text() == "text\ntwo\n"


def test_only_what_is_new_or_changed_is_downloaded_and_what_is_gone_goes(bucket: Bucket, get: Fetch) -> None:
    bucket.put({"rows/a.csv": "1", "rows/b.csv": "2", "rows/c.csv": "3"})
    before = get(f"{bucket.uri}/rows/")
    a, b, _ = _inodes(before.files)
    bucket.put({"rows/b.csv": "4", "rows/d.csv": "5"})
    bucket.delete("rows/c.csv")
    after = get(f"{bucket.uri}/rows/")
    assert [file.name for file in after.files] == ["a.csv", "b.csv", "d.csv"]
    assert sorted(after.path.rglob("*")) == list(after.files)
    assert _inodes(after.files)[0] == a and _inodes(after.files)[1] != b
    assert [file.read_text() for file in after.files] == ["1", "4", "5"]


def test_a_spoiled_download_is_mended_online_and_an_error_offline(bucket: Bucket, access: Access) -> None:
    bucket.put({"rows.csv": "text\none\n"})
    first = fetch(f"{bucket.uri}/rows.csv", access)
    first.path.write_text("text\nbad\n")
    with pytest.raises(SourceError, match="a damaged download"):
        fetch(f"{bucket.uri}/rows.csv", replace(access, offline=True))
    assert fetch(f"{bucket.uri}/rows.csv", access) == first
    assert first.path.read_text() == "text\none\n"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("rows/*.csv", ["2.csv", "a.csv"]),
        ("rows/", ["2.csv", "a.csv", "deep/b.csv"]),
        ("rows/**/[ab].csv", ["a.csv", "deep/b.csv"]),
        ("**/b.csv", ["rows/deep/b.csv"]),
    ],
)
def test_globs_and_prefixes_give_their_files_in_order(
    bucket: Bucket, access: Access, pattern: str, names: list[str]
) -> None:
    bucket.put({"rows/a.csv": "1", "rows/2.csv": "2", "rows/deep/b.csv": "3", "rows/.c.csv": "4", "rowsb.csv": "5"})
    fetched = fetch(f"{bucket.uri}/{pattern}", access)
    assert [file.relative_to(fetched.path).as_posix() for file in fetched.files] == names
    assert fetch(f"{bucket.uri}/{pattern}", replace(access, offline=True)) == fetched


def test_the_fingerprint_of_a_prefix_is_that_of_the_same_files_in_a_folder(bucket: Bucket, access: Access) -> None:
    rows = {"a.csv": "1", "deep/b.csv": "2"}
    bucket.put({f"rows/{name}": text for name, text in rows.items()})
    for name, text in rows.items():
        (access.root / name).parent.mkdir(exist_ok=True)
        (access.root / name).write_text(text)
    fingerprint = fetch(f"{bucket.uri}/rows/", access).fingerprint
    assert fetch(str(access.root), access, sha256=fingerprint).fingerprint == fingerprint
    with pytest.raises(SourceError, match="is asked for"):
        fetch(f"{bucket.uri}/rows/", access, sha256="0" * 64)


def test_offline_what_was_never_downloaded_is_named(bucket: Bucket, access: Access) -> None:
    bucket.put({"rows.csv": "text\n"})
    with pytest.raises(NotDownloadedError):
        fetch(f"{bucket.uri}/rows.csv", replace(access, offline=True))


def test_a_missing_bucket_object_or_match_is_an_error(bucket: Bucket, get: Fetch) -> None:
    bucket.put({"rows/a.csv": "1"})
    for uri in ("s3://absent-bucket/rows.csv", "s3://absent-bucket/*.csv", f"{bucket.uri}/absent.csv"):
        with pytest.raises(SourceError, match="no such bucket or object"):
            get(uri)
    with pytest.raises(SourceError, match="no object is there") as raised:
        get(f"{bucket.uri}/rows/b*.csv")
    assert "a.csv" in str(raised.value)
    with pytest.raises(SourceError, match="end its address with /"):
        get(f"{bucket.uri}/rows")


def test_keys_that_would_lead_out_are_never_written(bucket: Bucket, get: Fetch, tmp_path: Path) -> None:
    bucket.put({"rows/../../../out.csv": "out", "rows/a.csv": "1"})
    assert [file.name for file in get(f"{bucket.uri}/rows/").files] == ["a.csv"]
    bucket.put({"rows//out.csv": "out"})
    with pytest.raises(SourceError, match=r"an object with the name '/out\.csv'"):
        get(f"{bucket.uri}/rows/")
    assert not list(tmp_path.rglob("out.csv"))


def test_a_file_of_a_web_server_follows_its_content(web_folder: tuple[str, Path], access: Access) -> None:
    address, folder = web_folder
    (folder / "my rows.csv").write_text("text\none\n")
    uri = f"{address}/my%20rows.csv?page=1"
    first = fetch(uri, access)
    assert first.path.name == "my rows.csv" and first.fingerprint == file_digest(folder / "my rows.csv")
    (folder / "my rows.csv").write_text("text\ntwo\n")
    assert fetch(uri, replace(access, offline=True)) == first
    assert fetch(uri, access).fingerprint == file_digest(folder / "my rows.csv") != first.fingerprint
    with pytest.raises(SourceError, match="no such bucket or object"):
        fetch(f"{address}/absent.csv", access)
    with pytest.raises(SourceError, match="https:// cannot be read: ClientConnectorError"):
        fetch("https://localhost:9/rows.csv", access)


def test_keys_of_the_environment_stand_nowhere(
    bucket: Bucket, get: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="luthier")
    bucket.put({"rows.csv": "text\n"})
    said = [repr(get(f"{bucket.uri}/rows.csv"))]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for uri in (f"{bucket.uri}/rows.csv", f"{bucket.uri}/*.csv"):
        with pytest.raises(SourceError) as raised:
            get(uri)
        assert raised.value.__suppress_context__
        said += [str(raised.value)]
    kept = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    logged = [message for name, _, message in caplog.record_tuples if name.startswith("luthier")]
    for text in [*said, *logged, *kept]:
        assert SECRET not in text and "AKIAPLANTED" not in text and "127.0.0.1" not in text


@pytest.mark.parametrize(
    ("scheme", "package"),
    [("gs", "gcsfs"), ("gcs", "gcsfs"), ("az", "adlfs"), ("abfs", "adlfs"), ("s3", "luthier[s3]")],
)
def test_a_missing_driver_names_its_package(
    get: Fetch, monkeypatch: pytest.MonkeyPatch, scheme: str, package: str
) -> None:
    registry = importlib.import_module("fsspec.registry")
    monkeypatch.delitem(registry._registry, scheme, raising=False)
    monkeypatch.setitem(sys.modules, "s3fs" if scheme == "s3" else package, None)
    with pytest.raises(SourceError, match="no driver") as raised:
        get(f"{scheme}://bucket/a.csv")
    assert f"pip install {package}" in str(raised.value).replace("'", "")


@pytest.mark.parametrize("uri", ["https://host/rows/", "https:///", "s3://", "s3:///a.csv"])
def test_addresses_that_name_no_object_are_mistakes(bucket: Bucket, get: Fetch, uri: str) -> None:
    with pytest.raises(SourceError) as raised:
        get(uri)
    assert raised.value.remedy
