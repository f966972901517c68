"""Glob patterns over names with slashes: ``*``, ``?`` and ``[..]`` stay in one part, ``**`` is any folders."""

import os
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path, PurePosixPath

from luthier.errors import SourceError


def is_pattern(path: str) -> bool:
    """Whether a path has wildcards."""
    return any(sign in path for sign in "*?[")


def split_pattern(pattern: str) -> tuple[str, str]:
    """The folder before the first part with wildcards, and the rest."""
    parts = pattern.split("/")
    fixed = list(takewhile(lambda part: not is_pattern(part), parts))
    folder = "/".join(fixed) or ("/" if pattern.startswith("/") else "")
    return folder, "/".join(parts[len(fixed) :])


def matches(name: str, pattern: str) -> bool:
    """Whether a relative name matches; a hidden file or folder matches nothing."""
    return not is_hidden(name) and _match(name.split("/"), [part for part in pattern.split("/") if part])


def is_hidden(name: str) -> bool:
    """Whether a part of a relative name starts with a dot."""
    return any(part.startswith(".") for part in name.split("/"))


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint: the files, or folders of files, whose names are near."""
    files = list(names)
    folders = {str(parent) for file in files for parent in PurePosixPath(file).parents if parent.parts}
    known = sorted({*files, *folders})
    same_name = [other for other in known if PurePosixPath(other).name == PurePosixPath(name).name]
    near = [*same_name, *(other for other in get_close_matches(name, known, n=3) if other not in same_name)][:3]
    return f"did you mean {' or '.join(near)}?" if near else f"it holds {', '.join(known[:5]) or 'nothing'}"


def walk(folder: Path, depth: int | None, check: Callable[[Path], None]) -> Iterator[Path]:
    """What is below a folder and is not a folder, hidden ones left out, at most ``depth`` parts deep.

    Links to folders are followed when ``check`` lets them pass. Raises SourceError for a link back up.
    """
    for entry in os.scandir(folder):
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            yield path
        elif depth is None or depth > 1:
            if entry.is_symlink():
                check(path)
                if folder.resolve().is_relative_to(path.resolve()):
                    raise SourceError("a link that leads back up", where=str(path), remedy="take it out")
            yield from walk(path, None if depth is None else depth - 1, check)


def _match(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return _match(parts, pattern[1:]) or (bool(parts) and _match(parts[1:], pattern))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _match(parts[1:], pattern[1:])
