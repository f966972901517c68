"""Plain text: every line that is not blank is a row of one column, ``text``, or of the parts that a pattern finds."""

import re
from collections.abc import Iterable, Iterator

from luthier.data.records import Rejection, Row, as_json, require_usable_names, unreadable
from luthier.errors import DataError

WHOLE_LINE = re.compile("(?P<text>.*)")
NO_MATCH = "a line that the pattern does not match"


def compiled(pattern: str) -> re.Pattern[str]:
    """A regular expression whose named groups are columns. Raises DataError."""
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise DataError("not a regular expression", received=pattern, remedy=str(error)) from None
    if not found.groupindex:
        raise DataError("a pattern that names no column", received=pattern, remedy="name groups, as in (?P<text>.*)")
    return found


def text_columns(lines: Iterable[str], *, file: str, pattern: re.Pattern[str] = WHOLE_LINE) -> list[str]:
    """The pattern's groups."""
    names = list(pattern.groupindex)
    require_usable_names(names, where=file)
    return names


def read_text(lines: Iterable[str], *, file: str, pattern: re.Pattern[str] = WHOLE_LINE) -> Iterator[Row | Rejection]:
    """A row or a rejection for every line that is not blank; the pattern must match the whole line."""
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if problem := unreadable([text]):
            yield Rejection(file, number, problem, problem, as_json(text))
        elif not text.strip():
            continue
        elif match := pattern.fullmatch(text):
            yield Row(file, number, match.groupdict())
        else:
            yield Rejection(file, number, NO_MATCH, NO_MATCH, as_json(text))
