"""What a source gives: something local, a fingerprint of its content, and where it came from."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fetched:
    """A local file or folder. ``fingerprint`` is a digest of the content, never of names or times."""

    path: Path
    uri: str
    fingerprint: str
    provenance: dict[str, str]
