"""The content of a recipe's sources, looked at again and again without reading what lies still."""

import time
from collections.abc import Mapping

from luthier.digest import digest_of
from luthier.recipe.data_section import DataSection
from luthier.sources import Access, fetch, marks

# A file that is changed twice within a tick of the clock bears one time: marks this fresh prove nothing.
FRESH_SECONDS = 2.0

Known = Mapping[str, tuple[str, str]]


def source_fingerprints(
    data: DataSection, access: Access, known: Known
) -> tuple[list[tuple[str, str]], dict[str, tuple[str, str]]]:
    """The split and fingerprint of each source in order, and what is known by now of those that lie still.

    Raises SourceError for a source that cannot be read.
    """
    found: list[tuple[str, str]] = []
    still: dict[str, tuple[str, str]] = {}
    for split, uris in data.sources.items():
        for uri in uris:
            query = data.query if uri.startswith("sql://") else None
            key = digest_of([uri, data.sha256, query])
            fingerprint, mark = _looked_at(uri, access, data.sha256, query, known.get(key))
            found.append((str(split), fingerprint))
            if mark is not None:
                still[key] = (mark, fingerprint)
    return found, still


def _looked_at(
    uri: str, access: Access, sha256: str | None, query: str | None, known: tuple[str, str] | None
) -> tuple[str, str | None]:
    """The fingerprint, and the mark by which it is known again; None when there is no mark to trust."""
    before = marks(uri, access)
    if before and known and known[0] == before.digest:
        return known[1], before.digest
    began = time.time()
    fingerprint = fetch(uri, access, sha256=sha256, query=query).fingerprint
    trusted = before is not None and before.latest < began - FRESH_SECONDS and marks(uri, access) == before
    return fingerprint, before.digest if before and trusted else None
