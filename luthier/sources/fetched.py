"""What a source gives: something local, a fingerprint of its content, and where it came from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from luthier.digest import digest_of, file_digest, folder_digests
from luthier.errors import SourceError


@dataclass(frozen=True)
class Fetched:
    """A local file or folder. ``fingerprint`` is a digest of the content, never of names of machines or times."""

    path: Path
    uri: str
    fingerprint: str
    provenance: dict[str, str]


class Fetcher(Protocol):
    """One scheme's way to make a source local."""

    def __call__(self, uri: str, *, downloads: Path, root: Path, sha256: str | None, offline: bool) -> Fetched: ...


def content_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, or of a folder's relative paths and bytes."""
    return file_digest(path) if path.is_file() else digest_of(folder_digests(path))


def require_digest(found: str, wanted: str | None, *, where: str, remedy: str) -> None:
    """Raises a SourceError that shows both digests when they differ."""
    if wanted is not None and found != wanted.strip().lower():
        raise SourceError(f"SHA-256 is {found}, but {wanted} is asked for", where=where, remedy=remedy)
