"""CSV and TSV, read by the csv module; a quote that is never closed costs its own line and no other."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator

from luthier.data.records import Rejection, Row, as_json, require_usable_names, unreadable
from luthier.errors import DataError

UNCLOSED = "a quote that is never closed"


class _Lines(Iterator[str]):
    """Lines that can be given back, and the ones taken since the last mark."""

    def __init__(self, lines: Iterable[str]):
        self._lines = iter(lines)
        self._returned: deque[str] = deque()
        self.taken: list[str] = []
        self.ended = False
        self.number = 0

    def __next__(self) -> str:
        try:
            line = self._returned.popleft() if self._returned else next(self._lines)
        except StopIteration:
            self.ended = True
            raise
        self.taken.append(line)
        self.number += 1
        return line

    def mark(self) -> int:
        """Forget the lines taken; the number of the next one."""
        self.taken, self.ended = [], False
        return self.number + 1

    def give_back_all_but_first(self) -> str:
        """Return every line taken but the first, which is the answer."""
        first, *others = self.taken
        self._returned.extendleft(reversed(others))
        self.number -= len(others)
        return first


def delimited_columns(lines: Iterable[str], delimiter: str, *, where: str) -> list[str]:
    """The header's names, trimmed; a name that is missing becomes ``column_N``."""
    try:
        header = next((names for names in csv.reader(lines, delimiter=delimiter) if any(map(str.strip, names))), [])
    except csv.Error as error:
        raise DataError("the header cannot be read", where=where, received=str(error)) from None
    names = [name.strip() or f"column_{number}" for number, name in enumerate(header, 1)]
    require_usable_names(names, where=where)
    return names


def read_delimited(lines: Iterable[str], delimiter: str, *, file: str, where: str) -> Iterator[Row | Rejection]:
    """Records after the header; blank lines are none."""
    source = _Lines(lines)
    names = delimited_columns(source, delimiter, where=where)
    while True:
        start = source.mark()
        problem: str | None = None
        fields: list[str] = []
        try:
            fields = next(csv.reader(source, delimiter=delimiter), [])
        except csv.Error as error:
            problem = str(error) if len(source.taken) == 1 else UNCLOSED
        if not source.taken:
            return
        # The reader asks for a line after the last one only when a quote is still open.
        if problem or source.ended:
            line = source.give_back_all_but_first()
            yield Rejection(file, start, problem or UNCLOSED, problem or UNCLOSED, as_json(line.rstrip("\r\n")))
        elif fields:
            yield _record(fields, names, file, start)


def _record(fields: list[str], names: list[str], file: str, line: int) -> Row | Rejection:
    problem = unreadable(fields)
    if problem:
        return Rejection(file, line, problem, problem, as_json(fields))
    if len(fields) != len(names):
        reason = f"{len(fields)} fields where the header has {len(names)}"
        return Rejection(file, line, "wrong number of fields", reason, as_json(fields))
    return Row(file, line, dict(zip(names, fields, strict=True)))
