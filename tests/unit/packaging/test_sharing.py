from pathlib import Path

import pytest

from luthier.packaging.sharing import folder_bytes, share_files, stored_bytes


def write(folder: Path, **contents: bytes) -> None:
    for name, content in contents.items():
        path = folder / name.replace("_", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_equal_files_are_stored_once_and_still_read_the_same(tmp_path):
    write(tmp_path, a_weights=b"w" * 100, b_weights=b"w" * 100, c=b"w" * 100, other=b"o" * 100)
    share_files(tmp_path, least_bytes=100)
    assert (folder_bytes(tmp_path), stored_bytes(tmp_path)) == (400, 200)
    assert (tmp_path / "a/weights").samefile(tmp_path / "c") and (tmp_path / "b/weights").samefile(tmp_path / "c")
    assert (tmp_path / "other").read_bytes() == b"o" * 100 and (tmp_path / "a/weights").read_bytes() == b"w" * 100
    share_files(tmp_path, least_bytes=100)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["c", "other", "weights", "weights"]


def test_small_files_are_left_apart(tmp_path):
    write(tmp_path, a=b"w" * 99, b=b"w" * 99)
    share_files(tmp_path, least_bytes=100)
    assert stored_bytes(tmp_path) == 198


def test_without_links_files_stay_apart(tmp_path, monkeypatch):
    def refuse(self: Path, target: Path) -> None:
        raise OSError("no links here")

    write(tmp_path, a=b"w" * 100, b=b"w" * 100)
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    share_files(tmp_path, least_bytes=100)
    assert stored_bytes(tmp_path) == 200 and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("names", [("a",), ()])
def test_nothing_equal_is_nothing_shared(names, tmp_path):
    write(tmp_path, **dict.fromkeys(names, b"w" * 100))
    share_files(tmp_path, least_bytes=100)
    assert stored_bytes(tmp_path) == 100 * len(names)
