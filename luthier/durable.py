"""Files that are whole whenever they are visible."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: Path, *, scratch: Path | None = None) -> Iterator[Path]:
    """A hidden name to write to, beside ``path`` or in ``scratch`` on the same disk.

    After the block it is on disk and takes the name ``path``. When the block fails nothing stays.
    """
    hidden = (scratch or path.parent) / f".{path.name}.{os.getpid()}.tmp"
    try:
        yield hidden
        sync(hidden)
        hidden.replace(path)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Returns when a file's content, or a folder's names, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
