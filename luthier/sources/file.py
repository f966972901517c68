"""A path, a glob or a ``file://`` URI: local files, used where they are, inside the folders that may be read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote

from luthier.digest import digest_of
from luthier.errors import SourceError
from luthier.sources.access import Access
from luthier.sources.fetched import Fetched, content_digest, require_digest
from luthier.sources.patterns import is_pattern, matches, nearest, split_pattern, walk

PREFIX = "file://"


def fetch_file(uri: str, access: Access, *, sha256: str | None, query: str | None) -> Fetched:
    """The file itself, every file below a folder, or those that match; a relative path starts at the root."""
    with _readable(uri):
        path, files = _found(_written(uri), access)
        fingerprint = content_digest(path, files)
    require_digest(fingerprint, sha256, where=uri, remedy="restore the file, or correct sha256 in the recipe")
    return Fetched(path, uri, fingerprint, {"scheme": "file", "name": path.name, "sha256": fingerprint}, files)


@dataclass(frozen=True)
class Marks:
    """``digest`` follows from the files' names, sizes and times; ``latest`` is when one last changed, since 1970."""

    digest: str
    latest: float


def file_marks(uri: str, access: Access) -> Marks:
    """The marks of a source's files. Raises SourceError."""
    with _readable(uri):
        _, files = _found(_written(uri), access)
        stats = {str(file): file.stat() for file in files}
    values = {name: [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns] for name, stat in stats.items()}
    return Marks(digest_of(values), max(max(stat.st_mtime, stat.st_ctime) for stat in stats.values()))


@contextmanager
def _readable(uri: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "check the path and who may read it"
        raise SourceError(f"cannot be read: {error.strerror}", where=uri, remedy=remedy) from None


def _written(uri: str) -> Path:
    text = unquote(uri[len(PREFIX) :]) if uri.lower().startswith(PREFIX) else uri
    if not text.strip() or "\0" in text:
        raise SourceError("a source without a path", received=uri, remedy="name a file")
    path = Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises for an unknown user
    if ".." in path.parts:
        raise SourceError("a path with ..", received=uri, remedy="write it from the project's folder, or from /")
    return path


def _found(written: Path, access: Access) -> tuple[Path, tuple[Path, ...]]:
    path, pattern = access.root / written, None
    if is_pattern(str(written)) and not path.exists():
        folder, pattern = split_pattern(written.as_posix())
        path = access.root / folder
    access.require_inside(path)
    if not path.exists():
        raise SourceError("no such file", where=str(path), remedy=_remedy(path))
    files = (path,) if pattern is None and not path.is_dir() else _below(path, pattern, access)
    for file in files:
        access.require_inside(file)
        if not file.is_file():
            raise SourceError("neither a file nor a folder", where=str(file), remedy="name regular files")
    return path, files


def _below(folder: Path, pattern: str | None, access: Access) -> tuple[Path, ...]:
    depth = None if pattern is None or "**" in pattern.split("/") else pattern.count("/") + 1
    found = {file.relative_to(folder).as_posix(): file for file in walk(folder, depth, access.require_inside)}
    files = tuple(found[name] for name in sorted(found) if pattern is None or matches(name, pattern))
    if not files:
        what = "a folder without files" if pattern is None else f"no file matches {pattern}"
        raise SourceError(what, where=str(folder), remedy=nearest(pattern or "", found))
    return files


def _remedy(path: Path) -> str:
    existing = next(parent for parent in path.parents if parent.is_dir())
    missing = path.relative_to(existing).parts[0]
    names = sorted(entry.name for entry in existing.iterdir())
    near = get_close_matches(missing, names, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "relative paths start at the project's folder"
    return f"{existing} has no {missing}; {hint}"
