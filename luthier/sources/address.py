"""A source as it is written: its scheme, and the digest after ``#sha256=``."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from luthier.errors import SourceError

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
DIGEST = re.compile(r"#sha256=(.*)$")


def split_digest(uri: str, sha256: str | None) -> tuple[str, str | None]:
    """The URI without ``#sha256=HEX``, and the digest that it or the argument asks for."""
    match = DIGEST.search(uri)
    if match is None:
        return uri, sha256
    written = match[1].lower()
    if not re.fullmatch("[0-9a-f]{64}", written):
        raise SourceError("not a SHA-256", received=match[1], remedy="write 64 hexadecimal digits after #sha256=")
    if sha256 is not None and sha256.strip().lower() != written:
        raise SourceError(
            "two digests of one source", where=uri, received=sha256, remedy="correct sha256, or #sha256= in the source"
        )
    return uri[: match.start()], written


def scheme_of(uri: str, known: Iterable[str]) -> str:
    """The scheme of a URI; what has none is a path, so ``file``. Raises SourceError for one that is not ``known``."""
    match = SCHEME.match(uri)
    if match is None:
        return "file"
    name, rest = match[1].lower(), uri[match.end() :]
    if len(name) == 1:
        raise SourceError("a path with a drive", received=uri, remedy="write a path inside the project, with slashes")
    if name not in known:
        near = get_close_matches(name, known, n=1)
        forms = ", ".join(f"{scheme}://" for scheme in known)
        hint = f"did you mean {near[0]}://?" if near else f"use a path or one of {forms}"
        remedy = hint if rest.startswith("/") else f"{hint}; a path with a colon starts with ./"
        raise SourceError(f"unknown scheme {name!r}", received=uri.partition("?")[0], remedy=remedy)
    if not rest.startswith("//"):
        raise SourceError(f"a source of {name} without //", received=uri, remedy=f"write {name}://")
    return name
