"""Versions that lie elsewhere are downloaded once, and kept apart by where they came from."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from luthier.errors import LuthierError
from resources.served_version import ServedVersion


@dataclass
class FarRegistry:
    """One whose files are those of ``folder``, which is not of this machine."""

    uri: str
    folder: Path
    aliases: dict[str, str] = field(default_factory=lambda: {"champion": "1"})
    downloads: int = 0

    @property
    def store(self) -> Any:
        return SimpleNamespace(uri=self.uri)

    def alias(self, name: str, alias: str) -> str | None:
        return self.aliases.get(alias)

    def place(self, name: str, version: str) -> str:
        return f"mlflow-artifacts:/{name}/{version}"

    def local_files(self, name: str, version: str) -> None:
        return None

    @contextmanager
    def files(self, name: str, version: str) -> Iterator[Path]:
        self.downloads += 1
        yield self.folder


def far(folder: Path, said: str) -> FarRegistry:
    folder.mkdir()
    (folder / "MLmodel").write_text(said)
    return FarRegistry(f"https://{said}.example", folder)


def said(version: ServedVersion) -> str:
    return (Path(version.find().folder) / "MLmodel").read_text()


def test_a_version_is_downloaded_once_and_again_when_the_alias_moves(tmp_path):
    registry = far(tmp_path / "far", "one")
    for _ in range(2):
        version = ServedVersion(registry, "reviews", tmp_path / "here")
        assert [said(version), said(version)] == ["one", "one"]
    assert registry.downloads == 1
    registry.aliases["champion"] = "2"
    assert version.find().version == "2" and registry.downloads == 2


def test_two_registries_with_a_version_of_the_same_name_and_number_are_not_mixed_up(tmp_path):
    one, other = (ServedVersion(far(tmp_path / name, name), "reviews", tmp_path / "here") for name in ("one", "other"))
    assert [said(one), said(other)] == ["one", "other"]


def test_a_download_that_fails_leaves_nothing_and_is_tried_again(tmp_path):
    version = ServedVersion(FarRegistry("https://far.example", tmp_path / "gone"), "reviews", tmp_path / "here")
    with pytest.raises(OSError, match="gone"):
        version.find()
    assert not any(path.is_file() for path in (tmp_path / "here").rglob("*"))
    assert list((tmp_path / "here" / "reviews").iterdir()) == []
    far(tmp_path / "gone", "one")
    assert said(version) == "one"


def test_an_alias_that_names_nothing_is_said(tmp_path):
    with pytest.raises(LuthierError, match="no version has the alias 'shadow'"):
        ServedVersion(FarRegistry("https://far.example", tmp_path), "reviews", tmp_path, alias="shadow").find()
