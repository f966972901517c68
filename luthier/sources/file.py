"""``file://`` and plain paths: a local file or folder, used where it is."""

from pathlib import Path

from luthier.digest import digest_of, file_digest, folder_digests
from luthier.errors import SourceError
from luthier.sources.fetched import Fetched


def fetch(uri: str, *, downloads: Path, root: Path, sha256: str | None, offline: bool) -> Fetched:
    """The file or folder itself; relative paths are relative to ``root``."""
    path = (root / Path(uri.removeprefix("file://")).expanduser()).resolve()
    if not path.exists():
        beside = sorted(other.name for other in path.parent.glob("*")) if path.parent.is_dir() else []
        remedy = f"the folder holds {', '.join(beside[:10])}" if beside else "there is no such folder either"
        raise SourceError("no such file", where=str(path), received=uri, remedy=remedy)
    found = file_digest(path) if path.is_file() else digest_of(folder_digests(path))
    if sha256 and sha256 != found:
        raise SourceError(
            "its SHA-256 is not the one the recipe requires",
            where=str(path),
            received=found,
            remedy=f"restore the file with {sha256}, or change sha256 in the recipe",
        )
    return Fetched(path, uri, found, {"path": str(path), "sha256": found})
