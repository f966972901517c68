"""What a source gives: something local, a fingerprint of its content, and where it came from."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from luthier.digest import digest_of, file_digest
from luthier.errors import SourceError
from luthier.sources.access import Access


@dataclass(frozen=True)
class Fetched:
    """A local file or folder. ``fingerprint`` is a digest of the content, never of names of machines or times.

    ``files`` are the data files in a fixed order: the file itself, or those below the folder, hidden ones left out.
    """

    path: Path
    uri: str
    fingerprint: str
    provenance: dict[str, str]
    files: tuple[Path, ...]


class Fetcher(Protocol):
    """One scheme's way to make a source local; ``query`` is None but for a scheme that can be asked."""

    def __call__(self, uri: str, access: Access, *, sha256: str | None, query: str | None) -> Fetched: ...


def content_digest(path: Path, files: Iterable[Path]) -> str:
    """SHA-256 of a file's bytes, or of the paths relative to a folder and the bytes of its ``files``."""
    if path.is_file():
        return file_digest(path)
    return digest_of({file.relative_to(path).as_posix(): file_digest(file) for file in files})


def require_digest(found: str, wanted: str | None, *, where: str, remedy: str) -> None:
    """Raises a SourceError that shows both digests when they differ."""
    if wanted is not None and found != wanted.strip().lower():
        raise SourceError(f"SHA-256 is {found}, but {wanted} is asked for", where=where, remedy=remedy)
