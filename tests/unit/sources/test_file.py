from pathlib import Path

import pytest

from luthier.digest import file_digest
from luthier.errors import SourceError
from luthier.sources import fetch


def test_a_path_and_a_uri_give_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "my rows.csv"
    path.write_text("a,b\n1,2\n")
    for uri in ("my rows.csv", str(path), f"file://{path}", "file://my%20rows.csv"):
        fetched = fetch(uri, downloads=tmp_path / "downloads", root=tmp_path, sha256=file_digest(path).upper())
        assert (fetched.path, fetched.uri, fetched.fingerprint) == (path, uri, file_digest(path))
    assert not (tmp_path / "downloads").exists()


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    for name, content in [("a", "1"), ("b", "1"), ("c", "2")]:
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "file").write_text(content)
    a, b, c = (fetch(name, downloads=tmp_path, root=tmp_path).fingerprint for name in "abc")
    assert a == b != c


def test_another_digest_is_refused_with_both(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a\n")
    with pytest.raises(SourceError, match=file_digest(path)) as raised:
        fetch("a.csv", downloads=tmp_path, root=tmp_path, sha256="0" * 64)
    assert "0" * 64 in str(raised.value)


@pytest.mark.parametrize(
    ("uri", "hint"), [("reviews.cvs", "reviews.csv"), ("dta/a.csv", "did you mean data"), ("file://x/y/z", "has no x")]
)
def test_a_missing_file_names_what_is_near(tmp_path: Path, uri: str, hint: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "reviews.csv").touch()
    with pytest.raises(SourceError, match="no such file") as raised:
        fetch(uri, downloads=tmp_path / "downloads", root=tmp_path)
    assert hint in str(raised.value)


@pytest.mark.parametrize(
    ("uri", "hint"), [("whel://a==1/b", "did you mean wheel://"), ("s3://bucket/a.csv", "file://, wheel://")]
)
def test_an_unknown_scheme_names_the_nearest(tmp_path: Path, uri: str, hint: str) -> None:
    with pytest.raises(SourceError, match="unknown scheme") as raised:
        fetch(uri, downloads=tmp_path, root=tmp_path)
    assert hint in str(raised.value)
