"""Where data and models come from. Adding a source is one new file and its line in SCHEMES."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from luthier.errors import NotDownloadedError, SourceError
from luthier.sources.fetched import Fetched, Fetcher
from luthier.sources.file import fetch_file
from luthier.sources.wheel import fetch_wheel

__all__ = ["SCHEMES", "Fetched", "NotDownloadedError", "fetch"]

SCHEMES: Final[Mapping[str, Fetcher]] = {"file": fetch_file, "wheel": fetch_wheel}


def fetch(uri: str, *, downloads: Path, root: Path, sha256: str | None = None, offline: bool = False) -> Fetched:
    """Make a source local; what has no scheme is a path.

    ``root`` is where relative paths start, ``downloads`` where downloads stay. With ``offline`` nothing is
    downloaded. Raises SourceError; NotDownloadedError when ``offline`` needs a download.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):/", uri)
    name = scheme[1].lower() if scheme else "file"
    if name not in SCHEMES:
        near = get_close_matches(name, SCHEMES, n=1)
        forms = ", ".join(f"{known}://" for known in SCHEMES)
        remedy = f"did you mean {near[0]}://?" if near else f"use a path or one of {forms}"
        raise SourceError(f"unknown scheme {name!r}", received=uri, remedy=remedy)
    return SCHEMES[name](uri, downloads=downloads, root=root, sha256=sha256, offline=offline)
