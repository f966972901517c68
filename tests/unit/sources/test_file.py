import os
from dataclasses import replace
from pathlib import Path

import pytest

from luthier.digest import file_digest
from luthier.errors import SourceError
from luthier.sources import Access, fetch
from tests.unit.sources.conftest import Fetch

TREE = ["b.csv", "a.csv", "data/2.csv", "data/10.csv", "data/deep/3.csv", "data/deep/notes.txt", ".hidden/4.csv"]


@pytest.fixture
def root(access: Access) -> Path:
    """The project, with a few files."""
    for name in TREE:
        path = access.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return access.root


def test_a_path_and_a_uri_give_the_same_file(root: Path, access: Access) -> None:
    path = root / "my rows.csv"
    path.write_text("a,b\n1,2\n")
    for uri in ("my rows.csv", str(path), f"file://{path}", "file://my%20rows.csv", f"FILE://{path}"):
        fetched = fetch(uri, access, sha256=file_digest(path).upper())
        assert (fetched.path, fetched.uri, fetched.fingerprint) == (path, uri, file_digest(path))
        assert fetched.files == (path,)
    assert not access.downloads.exists()


def test_the_fingerprint_is_of_names_and_bytes_and_not_of_places_or_times(root: Path, get: Fetch) -> None:
    for name, content in [("a", "1"), ("b", "1"), ("c", "2")]:
        (root / name / "deep").mkdir(parents=True)
        (root / name / "deep" / "file").write_text(content)
    a, b, c = (get(name).fingerprint for name in "abc")
    assert a == b != c
    os.utime(root / "a" / "deep" / "file", (1, 1))
    assert get("a").fingerprint == a
    (root / "a" / "deep" / "file").rename(root / "a" / "deep" / "other")
    assert get("a").fingerprint != a


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("data", ["data/10.csv", "data/2.csv", "data/deep/3.csv", "data/deep/notes.txt"]),
        ("*.csv", ["a.csv", "b.csv"]),
        ("data/*", ["data/10.csv", "data/2.csv"]),
        ("data/?.csv", ["data/2.csv"]),
        ("**/*.csv", ["a.csv", "b.csv", "data/10.csv", "data/2.csv", "data/deep/3.csv"]),
        ("data/**/[!1]*.csv", ["data/2.csv", "data/deep/3.csv"]),
        ("data/**", ["data/10.csv", "data/2.csv", "data/deep/3.csv", "data/deep/notes.txt"]),
        (".hidden/*.csv", [".hidden/4.csv"]),
    ],
)
def test_folders_and_globs_give_their_files_in_order(root: Path, get: Fetch, uri: str, names: list[str]) -> None:
    for form in (uri, str(root / uri), f"file://{root / uri}"):
        assert [file.relative_to(root).as_posix() for file in get(form).files] == names


def test_a_glob_stands_in_the_folder_that_holds_its_matches(root: Path, get: Fetch) -> None:
    assert get("data/*.csv").path == root / "data"
    before = get("data/*.csv").fingerprint
    (root / "data" / "notes.txt").touch()
    assert get("data/*.csv").fingerprint == before
    (root / "data" / "11.csv").touch()
    assert get("data/*.csv").fingerprint != before


def test_a_file_whose_name_looks_like_a_glob_is_itself(root: Path, get: Fetch) -> None:
    (root / "rows[1].csv").write_text("x")
    assert get("rows[1].csv").path == root / "rows[1].csv"


def test_a_project_whose_own_path_has_brackets_is_read(access: Access) -> None:
    root = access.root / "a[b]*"
    root.mkdir()
    (root / "rows.csv").touch()
    assert fetch("*.csv", replace(access, root=root)).files == (root / "rows.csv",)


def test_another_digest_is_refused_with_both(root: Path, get: Fetch) -> None:
    for wanted in ({"sha256": "0" * 64}, {}):
        with pytest.raises(SourceError, match=file_digest(root / "a.csv")) as raised:
            get("a.csv" if wanted else f"a.csv#sha256={'0' * 64}", **wanted)
        assert "0" * 64 in str(raised.value)
    assert get(f"a.csv#sha256={file_digest(root / 'a.csv')}").uri == "a.csv"


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("reviews.cvs", "reviews.csv"),
        ("dta/a.csv", "did you mean data"),
        ("file://x/y/z", "has no x"),
        ("data/*.cvs", "did you mean"),
        ("dat/*.csv", "did you mean data"),
        ("data/*.parquet", "it holds"),
    ],
)
def test_a_missing_file_names_what_is_near(root: Path, get: Fetch, uri: str, hint: str) -> None:
    (root / "reviews.csv").touch()
    with pytest.raises(SourceError, match=r"no such file|no file matches") as raised:
        get(uri)
    assert hint in str(raised.value)


@pytest.mark.parametrize(
    "uri", ["../outside.csv", "data/../../outside.csv", "file://%2e%2e/outside.csv", "data/../a.csv"]
)
def test_two_dots_are_refused_even_where_they_would_stay_inside(root: Path, get: Fetch, uri: str) -> None:
    (root.parent / "outside.csv").write_text("secret")
    with pytest.raises(SourceError, match=r"a path with \.\."):
        get(uri)


def test_links_out_of_the_roots_are_refused_and_an_allowed_folder_is_a_root(root: Path, access: Access) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "rows.csv").write_text("text\n")
    (root / "data" / "link.csv").symlink_to(outside / "rows.csv")
    (root / "linked").symlink_to(outside)
    wider = replace(access, allowed=(outside,))
    for uri in (
        "data/link.csv",
        "data",
        "data/*.csv",
        "linked",
        "linked/rows.csv",
        "l*/*.csv",
        str(outside / "rows.csv"),
    ):
        with pytest.raises(SourceError, match="a file outside of") as raised:
            fetch(uri, access)
        assert str(root.resolve()) in str(raised.value) and "LUTHIER_DATA_ROOTS" in str(raised.value)
        assert any(file.read_text() == "text\n" for file in fetch(uri, wider).files)


def test_a_link_inside_the_roots_is_followed(root: Path, get: Fetch) -> None:
    (root / "data" / "link.csv").symlink_to(root / "a.csv")
    (root / "linked").symlink_to(root / "data")
    assert get("data/link.csv").fingerprint == file_digest(root / "a.csv")
    assert get("linked").fingerprint == get("data").fingerprint


def test_what_lies_outside_is_not_even_listed(root: Path, get: Fetch) -> None:
    (root.parent / "private.csv").touch()
    with pytest.raises(SourceError) as raised:
        get(str(root.parent / "privat.csv"))
    assert "private.csv" not in str(raised.value)


def test_links_that_lead_back_up_or_nowhere_are_named(root: Path, get: Fetch) -> None:
    (root / "data" / "nowhere.csv").symlink_to(root / "absent")
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        get("data")
    (root / "data" / "deep" / "loop").symlink_to(root / "data")
    with pytest.raises(SourceError, match="leads back up"):
        get("data/**/*.csv")


def test_pipes_devices_and_empty_folders_are_refused(root: Path, access: Access) -> None:
    os.mkfifo(root / "data" / "pipe.csv")
    (root / "empty").mkdir()
    for uri, what in [("data/pipe.csv", "neither"), ("data", "neither"), ("empty", "without files")]:
        with pytest.raises(SourceError, match=what):
            fetch(uri, access)
    with pytest.raises(SourceError, match="neither"):
        fetch("/dev/null", replace(access, allowed=(Path("/dev"),)))


@pytest.mark.parametrize("uri", ["", "  ", "file://", "a\0b", "~nobody-here/x.csv", "x" * 300])
def test_paths_that_can_be_none_are_mistakes(root: Path, get: Fetch, uri: str) -> None:
    with pytest.raises(SourceError) as raised:
        get(uri)
    assert raised.value.remedy
