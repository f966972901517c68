"""A path or a ``file://`` URI: a local file or folder, used where it is."""

from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote

from luthier.errors import SourceError
from luthier.sources.fetched import Fetched, content_digest, require_digest

PREFIX = "file://"


def fetch_file(uri: str, *, downloads: Path, root: Path, sha256: str | None, offline: bool) -> Fetched:
    """The file or folder itself; a relative path starts at ``root``."""
    text = unquote(uri.removeprefix(PREFIX)) if uri.startswith(PREFIX) else uri
    if not text.strip():
        raise SourceError("a source without a path", received=uri, remedy="name a file")
    path = root / Path(text).expanduser()
    if not path.exists():
        raise SourceError("no such file", where=str(path), received=uri, remedy=_remedy(path))
    fingerprint = content_digest(path)
    require_digest(fingerprint, sha256, where=uri, remedy="restore the file, or correct sha256 in the recipe")
    return Fetched(path, uri, fingerprint, {"scheme": "file", "name": path.name, "sha256": fingerprint})


def _remedy(path: Path) -> str:
    existing = next(parent for parent in path.parents if parent.is_dir())
    missing = path.relative_to(existing).parts[0]
    names = sorted(entry.name for entry in existing.iterdir())
    near = get_close_matches(missing, names, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "relative paths start at the project's folder"
    return f"{existing} has no {missing}; {hint}"
