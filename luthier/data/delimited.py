"""CSV and TSV, read by the csv module; a quote that is never closed costs its own line and no other."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from luthier.data.records import Rejection, Row, as_json, require_usable_names, unreadable
from luthier.errors import DataError

UNCLOSED = "a quote that is never closed"
LONGEST_FIELD = 1 << 24
LEAST_PATIENCE = 1 << 11
FEWEST_LINES, MOST_LINES = 16, 1024

Fields = tuple[int, list[str]]


class _Lines(Iterator[str]):
    """Lines that can be given back; ``number`` is the next one's.

    One record takes ``patience`` characters at most, and fewer once a quote was open for that long.
    """

    def __init__(self, lines: Iterable[str]):
        self._lines = iter(lines)
        self._returned: deque[str] = deque()
        self._patience = LONGEST_FIELD
        self._ran_out = False
        self._size = 0
        self._taken: list[str] = []
        self.number = 1

    def __next__(self) -> str:
        if self._size > self._patience:
            line = ""
        else:
            line = self._returned.popleft() if self._returned else next(self._lines, "")
        if not line:
            self._ran_out = True
            raise StopIteration
        self._taken.append(line)
        self._size += len(line)
        self.number += 1
        return line

    def block(self, size: int) -> list[str]:
        """Take so many lines at once, fewer at the end."""
        again = [self._returned.popleft() for _ in range(min(len(self._returned), size))]
        block = again + list(islice(self._lines, size - len(again)))
        self.number += len(block)
        return block

    def give_back(self, lines: list[str]) -> None:
        """The last lines taken are to come again."""
        self._returned.extendleft(reversed(lines))
        self.number -= len(lines)

    def begin(self) -> None:
        """The next line starts a record."""
        self._taken, self._size, self._ran_out = [], 0, False

    def give_back_all_but_first(self) -> str:
        """Return every line of the record but the first, which is the answer."""
        first, *others = self._taken
        if self._ran_out and others:
            self._patience = max(self._size // 4, LEAST_PATIENCE)
        self.give_back(others)
        return first


def split_records(lines: Iterable[str], *, delimiter: str, file: str) -> Iterator[Fields | Rejection]:
    """Each record's line and fields, none for a blank line.

    The csv module reads blocks of lines; the record where it fails, or a block ends, is read alone. So is one of
    several lines that is not as wide as the first: a quote that was left open met the quote of another row.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))
    source = _Lines(lines)
    start, size, width = source.number, MOST_LINES, 0
    while block := source.block(size):
        # Strict, the reader stops at a quote in an odd place: there an earlier one was not closed.
        reader, done = csv.reader(block, delimiter=delimiter, strict=True), 0
        try:
            for fields in reader:
                width = width or len(fields)
                if len(fields) != width and reader.line_num > done + 1:
                    raise csv.Error
                yield start + done, fields
                done = reader.line_num
            size = min(2 * size, MOST_LINES)
        except csv.Error:
            size = FEWEST_LINES
            source.give_back(block[done:])
            record = _next_record(source, delimiter, file, width)
            width = width or (0 if isinstance(record, Rejection) else len(record[1]))
            yield record
        start = source.number


def _next_record(source: _Lines, delimiter: str, file: str, width: int) -> Fields | Rejection:
    start = source.number
    source.begin()
    try:
        fields = next(csv.reader(source, delimiter=delimiter, strict=True))
        if len(fields) == (width or len(fields)) or source.number == start + 1:
            return start, fields
    except csv.Error:
        pass
    return _alone(source.give_back_all_but_first(), delimiter, file, start)


def read_delimited(lines: Iterable[str], *, delimiter: str, file: str) -> Iterator[Row | Rejection]:
    """Records after the header; blank lines are none."""
    records = split_records(lines, delimiter=delimiter, file=file)
    names = header(records, where=file)
    return rows_of(records, names, file=file)


def delimited_columns(lines: Iterable[str], *, delimiter: str, file: str) -> list[str]:
    """The header's names, trimmed; a name that is missing becomes ``column_N``."""
    return header(split_records(lines, delimiter=delimiter, file=file), where=file)


def header(records: Iterator[Fields | Rejection], *, where: str) -> list[str]:
    """Take the header from the records. Raises DataError."""
    for record in records:
        if isinstance(record, Rejection):
            raise DataError("the header cannot be read", where=where, received=record.reason)
        names = [name.strip() for name in record[1]]
        if any(names):
            names = [name or f"column_{number}" for number, name in enumerate(names, 1)]
            require_usable_names(names, where=where)
            return names
    raise DataError("no columns", where=where, remedy="the file needs a header with the columns' names")


def rows_of(records: Iterable[Fields | Rejection], names: list[str], *, file: str) -> Iterator[Row | Rejection]:
    """Rows from records; those of another width are rejected."""
    width = len(names)
    for record in records:
        if isinstance(record, Rejection):
            yield record
            continue
        line, fields = record
        if problem := unreadable(fields):
            yield Rejection(file, line, problem, problem, as_json(fields))
        elif len(fields) == width:
            yield Row(file, line, dict(zip(names, fields, strict=True)))
        elif fields:
            reason = f"{len(fields)} fields where the header has {width}"
            yield Rejection(file, line, "wrong number of fields", reason, as_json(fields))


def _alone(line: str, delimiter: str, file: str, number: int) -> Fields | Rejection:
    """One line by itself, its quotes read leniently."""
    lines = iter([line, ""])
    try:
        fields = next(csv.reader(lines, delimiter=delimiter))
        problem = None
    except csv.Error as error:
        problem = str(error)
    # The reader asks for another line only when a quote is still open.
    if problem is None and next(lines, None) is not None:
        return number, fields
    problem = problem or UNCLOSED
    return Rejection(file, number, problem, problem, as_json(line.rstrip("\r\n")))
