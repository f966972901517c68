"""Where data and models come from, one file per scheme: adding one is a file and its line here."""

from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from luthier.errors import NotDownloadedError, SourceError
from luthier.sources import file, wheel
from luthier.sources.fetched import Fetched

SCHEMES = {"wheel": wheel.fetch, "file": file.fetch}

__all__ = ["SCHEMES", "Fetched", "NotDownloadedError", "fetch"]


def fetch(uri: str, *, downloads: Path, root: Path, sha256: str | None = None, offline: bool = False) -> Fetched:
    """Makes the source local. Relative paths are relative to ``root``; downloads are kept in ``downloads``.

    Raises:
        SourceError: unknown scheme, nothing there, or another digest than ``sha256``.
        NotDownloadedError: a download is needed while ``offline``.
    """
    scheme = urlsplit(uri).scheme if "://" in uri else "file"
    if scheme not in SCHEMES:
        near = get_close_matches(scheme, SCHEMES, n=1)
        remedy = f"did you mean {near[0]}://?" if near else f"one of {', '.join(f'{name}://' for name in SCHEMES)}"
        raise SourceError("unknown kind of source", received=uri, remedy=remedy)
    return SCHEMES[scheme](uri, downloads=downloads, root=root, sha256=sha256, offline=offline)
