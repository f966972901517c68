"""Files of one artifact that have the same bytes, stored once."""

from collections import defaultdict
from pathlib import Path
from typing import Final

from luthier.digest import file_digest

# Smaller ones are not worth a link.
LEAST_BYTES: Final = 2**16


def share_files(folder: Path, *, least_bytes: int = LEAST_BYTES) -> None:
    """Makes equal files hard links to one of them; a file system without links keeps them apart."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in sorted(_files(folder)):
        if (size := path.stat().st_size) >= least_bytes:
            by_size[size].append(path)
    for paths in by_size.values():
        kept: dict[str, Path] = {}
        for path in paths if len(paths) > 1 else ():
            same = kept.setdefault(file_digest(path), path)
            if not same.samefile(path):
                _replace_by_link(path, same)


def stored_bytes(folder: Path) -> int:
    """What the files below ``folder`` take, each set of links counted once."""
    found = {(stat.st_dev, stat.st_ino): stat.st_size for stat in (path.stat() for path in _files(folder))}
    return sum(found.values())


def folder_bytes(folder: Path) -> int:
    """What the files below ``folder`` would take anywhere else."""
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _replace_by_link(path: Path, same: Path) -> None:
    linked = path.with_name(f"{path.name}.linked")
    try:
        linked.hardlink_to(same)
    except OSError:
        return
    linked.replace(path)
