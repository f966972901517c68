import base64
import hashlib
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from luthier.digest import digest_of, file_digest
from luthier.errors import SourceError
from luthier.sources import Access, Fetched, fetch

URI = "wheel://tiny.data==1.0/tiny/rows.csv"
FILES = {"tiny/rows.csv": "a,b\n1,2\n", "tiny/model/config.json": "{}", "tiny/model/deep/weights": "w" * 3000}

Fetch = Callable[..., Fetched]


def _wheel(folder: Path, files: dict[str, str] = FILES, license: str = "License: MIT") -> Path:
    about = f"Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n{license}\n"
    tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    members = {**files, "tiny_data-1.0.dist-info/METADATA": about, "tiny_data-1.0.dist-info/WHEEL": tag}
    record = "tiny_data-1.0.dist-info/RECORD"
    lines = [f"{name},{_record_digest(text)},{len(text)}" for name, text in members.items()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny_data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**members, record: "\n".join([*lines, f"{record},,"])}.items():
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)  # no time: the same bytes always
    return path


def _record_digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    return tmp_path / "downloads"


@pytest.fixture
def get(tmp_path: Path, downloads: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")

    def get(uri: str = URI, *, offline: bool = False, sha256: str | None = None) -> Fetched:
        return fetch(uri, Access(downloads, tmp_path, offline=offline), sha256=sha256)

    return get


def test_a_wheel_that_is_there_needs_no_network(downloads: Path, get: Fetch) -> None:
    wheel = _wheel(downloads / "wheels")
    fetched = get(offline=True, sha256=file_digest(wheel))
    assert fetched.path.read_text() == FILES["tiny/rows.csv"]
    assert fetched.path.is_relative_to(downloads / "extracted" / file_digest(wheel))
    assert fetched.fingerprint == file_digest(fetched.path)
    assert fetched.provenance == {
        "scheme": "wheel",
        "name": "tiny.data",
        "version": "1.0",
        "member": "tiny/rows.csv",
        "sha256": file_digest(wheel),
        "license": "MIT",
    }


def test_folders_and_globs_give_their_files_in_order(downloads: Path, get: Fetch) -> None:
    _wheel(downloads / "wheels", {**FILES, "tiny/b.csv": "b", "tiny/a.csv": "a", "tiny/model/.hidden": "h"})
    folder = get("wheel://tiny-data==1.0/tiny/model")
    assert [file.relative_to(folder.path).as_posix() for file in folder.files] == ["config.json", "deep/weights"]
    some = get("wheel://tiny-data==1.0/tiny/*.csv")
    assert [file.name for file in some.files] == ["a.csv", "b.csv", "rows.csv"]
    assert some.path == folder.path.parent
    assert get("wheel://tiny-data==1.0/**/[ab].csv").files == some.files[:2]
    assert get("wheel://tiny-data==1.0/tiny/a.csv").files == some.files[:1]


def test_the_fingerprint_of_a_folder_is_over_all_its_names_and_bytes(downloads: Path, get: Fetch) -> None:
    _wheel(downloads / "wheels", {"tiny/.hidden": "h", "tiny/a.csv": "a"})
    fetched = get("wheel://tiny-data==1.0/tiny")
    digests = {name: file_digest(fetched.path / name) for name in (".hidden", "a.csv")}
    assert fetched.fingerprint == digest_of(digests)


@pytest.mark.parametrize("uri", ["wheel://Tiny_Data==1.0/tiny/rows.csv", "wheel://tiny-data==1/tiny/rows.csv"])
def test_other_spellings_find_the_same_wheel(downloads: Path, get: Fetch, uri: str) -> None:
    _wheel(downloads / "wheels")
    assert get(uri, offline=True).path.is_file()


def test_pip_downloads_what_is_missing_and_only_once(tmp_path: Path, downloads: Path, get: Fetch) -> None:
    linked = _wheel(tmp_path / "links")
    first = get()
    assert [path.name for path in (downloads / "wheels").glob("[!.]*")] == [linked.name]
    linked.unlink()
    assert get(offline=True) == first
    assert "tiny" not in sys.modules


def test_a_folder_is_whole_even_when_one_of_its_files_came_first(downloads: Path, get: Fetch) -> None:
    _wheel(downloads / "wheels")
    get("wheel://tiny-data==1.0/tiny/model/config.json")
    model = get("wheel://tiny-data==1.0/tiny/model/")
    assert {path.relative_to(model.path).as_posix() for path in model.path.rglob("*") if path.is_file()} == {
        "config.json",
        "deep/weights",
    }


def test_intact_files_stay_and_spoiled_ones_are_extracted_again(downloads: Path, get: Fetch) -> None:
    _wheel(downloads / "wheels")
    first = get("wheel://tiny-data==1.0/tiny/model")
    config, weights = first.path / "config.json", first.path / "deep" / "weights"
    before = config.stat().st_ino
    weights.write_text("v" * 3000)
    assert get("wheel://tiny-data==1.0/tiny/model") == first
    assert weights.read_text() == "w" * 3000
    assert config.stat().st_ino == before


@pytest.mark.parametrize(
    ("stated", "license"),
    [
        ("License-Expression: Apache-2.0\nLicense: other", "Apache-2.0"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License", "OSI Approved :: MIT License"),
        ("Summary: none", None),
    ],
)
def test_the_license_comes_from_the_metadata(downloads: Path, get: Fetch, stated: str, license: str | None) -> None:
    _wheel(downloads / "wheels", license=stated)
    assert get().provenance.get("license") == license


def test_offline_nothing_is_downloaded(tmp_path: Path, downloads: Path, get: Fetch) -> None:
    _wheel(tmp_path / "links")
    with pytest.raises(SourceError, match="offline"):
        get(offline=True)
    assert not list((downloads / "wheels").glob("*.whl"))


def test_a_wheel_that_pip_cannot_find_shows_what_pip_says(get: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match=r"no wheel of tiny\.data==1\.0") as raised:
        get()
    assert "No matching distribution found for tiny.data==1.0" in str(raised.value)
    monkeypatch.setenv("PIP_FIND_LINKS", "https://user:secret@index.invalid/simple")
    with pytest.raises(SourceError) as raised:
        get()
    assert "index.invalid" not in str(raised.value)
    assert "secret" not in str(raised.value)


def test_another_digest_is_refused_with_both_and_not_kept(tmp_path: Path, downloads: Path, get: Fetch) -> None:
    digest = file_digest(_wheel(tmp_path / "links"))
    with pytest.raises(SourceError, match=digest) as raised:
        get(sha256="0" * 64)
    assert "0" * 64 in str(raised.value)
    assert not list((downloads / "wheels").glob("*.whl"))
    _wheel(downloads / "wheels")
    with pytest.raises(SourceError, match=digest):
        get(sha256="0" * 64)


@pytest.mark.parametrize(("member", "hint"), [("tiny/row.csv", "tiny/rows.csv"), ("model/config.json", "tiny/model")])
def test_a_member_that_is_not_there_names_the_nearest(downloads: Path, get: Fetch, member: str, hint: str) -> None:
    _wheel(downloads / "wheels")
    with pytest.raises(SourceError, match=f"the wheel has no {member}") as raised:
        get(f"wheel://tiny-data==1.0/{member}")
    assert hint in str(raised.value)


@pytest.mark.parametrize(
    "uri", ["wheel://tiny/rows.csv", "wheel://tiny==1.0", "wheel://--tiny==1.0/a", "wheel://tiny==1.0/../../a"]
)
def test_uris_of_another_form_are_refused(get: Fetch, uri: str) -> None:
    with pytest.raises(SourceError) as raised:
        get(uri)
    assert raised.value.remedy


@pytest.mark.parametrize("name", ["tiny/../../../../out.txt", "tiny/..\\out.txt"])
def test_members_that_lead_out_are_refused(tmp_path: Path, downloads: Path, get: Fetch, name: str) -> None:
    _wheel(downloads / "wheels", {**FILES, name: "out"})
    with pytest.raises(SourceError, match="leads out"):
        get("wheel://tiny-data==1.0/tiny")
    assert not list(tmp_path.rglob("out.txt"))


def test_a_damaged_wheel_is_named(downloads: Path, get: Fetch) -> None:
    wheel = _wheel(downloads / "wheels")
    wheel.write_bytes(wheel.read_bytes()[:200])
    with pytest.raises(SourceError, match="damaged wheel"):
        get()
