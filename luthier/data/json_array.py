"""JSON: an array of objects, one under a key of an object, or lists of values by column; read in pieces.

    [{"text": "a"}, {"text": "b"}]      {"version": 1, "data": [{"text": "a"}]}      {"text": ["a", "b"]}

A file of objects one below the other is read as JSON Lines.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from luthier.data.json_lines import object_record, read_json_lines, rejected
from luthier.data.records import Rejection, Row, names_of
from luthier.errors import DataError

PIECE = 1 << 20
LONGEST_ELEMENT = 1 << 26
LONGEST_TOKEN = 16
NO_SPACE = re.compile(r"[^ \t\r\n]")
NESTING = re.compile(r'"(?:[^"\\\n]|\\.)*"?|[\[\]{}]')
AFTER_VALUE = re.compile(r"[ \t\r\n]*[,\]}]")
DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class _Element:
    """A value, where it starts and its source; ``problem`` says why there is no value."""

    line: int
    raw: str
    value: Any
    problem: str | None


class _Document:
    """The text of a file from ``position`` on; what was read before is forgotten."""

    def __init__(self, stream: IO[str], file: str):
        self._stream = stream
        self._file = file
        self._text = stream.read(PIECE)
        self._position = 0
        self._line = 1
        self._indent: str | None = None
        self._ended = False

    @property
    def start(self) -> str:
        """The first piece."""
        return self._text

    def peek(self) -> str:
        """The next character that is no space, nothing at the end."""
        while True:
            found = NO_SPACE.search(self._text, self._position)
            end = found.start() if found else len(self._text)
            above, newline, indent = self._text[self._position : end].rpartition("\n")
            self._line += above.count("\n") + len(newline)
            if newline or self._indent is not None:
                self._indent = indent if newline else f"{self._indent}{indent}"
            self._position = end
            if end < len(self._text):
                return self._text[end]
            if not self._read_on():
                return ""

    def skip(self, expected: str) -> None:
        """Step over a character. Raises DataError when there is another one."""
        found = self.peek()
        if found != expected:
            raise self.error(f"{expected!r} is missing", found)
        self._advance(self._position + 1)

    def elements(self) -> Iterator[_Element]:
        """The values of an array whose bracket was stepped over."""
        while (char := self.peek()) != "]":
            if not char:
                raise self.error("the array does not end", char)
            if char == ",":
                self.skip(",")
            else:
                yield self.element()
        self.skip("]")

    def value(self) -> Any:
        """The next value. Raises DataError when it is broken."""
        element = self.element()
        if element.problem:
            raise self.error(element.problem, element.raw[:100])
        return element.value

    def element(self) -> _Element:
        """The next value. Raises DataError when it is broken and what follows cannot be told apart."""
        if not self.peek():
            raise self.error("the JSON ends too early", "")
        while True:
            complete = self._ended or len(self._text) - self._position > LONGEST_ELEMENT
            end: int | None
            try:
                value, end = DECODER.raw_decode(self._text, self._position)
                problem = None
            except (ValueError, RecursionError) as error:
                problem = f"broken JSON: {getattr(error, 'msg', error)}"
                value, end = None, self._end_of_broken() if complete or not self._may_be_cut(error) else None
            # At the end of the piece a number may go on.
            if end is not None and (complete or end < len(self._text)):
                break
            if complete:
                raise self.error("broken JSON, and where the next object starts cannot be told", problem)
            self._read_on()
        raw = self._text[self._position : end]
        element = _Element(self._line, raw, value, problem)
        self._advance(end)
        return element

    def error(self, what: str, received: object) -> DataError:
        """An error at this line."""
        return DataError(what, where=f"{self._file}, line {self._line}", received=received)

    def _read_on(self) -> bool:
        piece = self._stream.read(max(PIECE, len(self._text) - self._position))
        self._text, self._position = self._text[self._position :] + piece, 0
        self._ended = not piece
        return not self._ended

    def _advance(self, end: int) -> None:
        self._line += self._text.count("\n", self._position, end)
        self._position, self._indent = end, None

    def _may_be_cut(self, error: Exception) -> bool:
        """Whether a value is broken only because the piece ends."""
        if not isinstance(error, json.JSONDecodeError):
            return False
        return error.msg.startswith("Unterminated") or error.pos > len(self._text) - LONGEST_TOKEN

    def _end_of_broken(self) -> int | None:
        """Where a broken value ends, by the lines when it starts one and by its brackets otherwise."""
        flat = self._indent == "" and self._text[self._position + 1 : self._position + 2] in "\r\n"
        if self._indent is not None and not flat:
            closing = rf"(?!{self._indent}[ \t])[ \t]*\]"
            following = re.compile(rf"\n(?:{self._indent}\{{|{closing})").search(self._text, self._position)
            if following:
                text = self._text[self._position : following.start()].rstrip()
                return self._position + len(text.removesuffix(","))
        if self._text[self._position] not in "{[":
            match = re.compile(r"[,\]\n]").search(self._text, self._position + 1)
            return match and match.start()
        return self._end_of_brackets()

    def _end_of_brackets(self) -> int | None:
        depth = 0
        for match in NESTING.finditer(self._text, self._position):
            depth += (match[0] in "{[") - (match[0] in "}]")
            if depth == 0:
                return match.end() if AFTER_VALUE.match(self._text, match.end()) else None
        return None


def json_array_columns(stream: IO[str], *, file: str) -> list[str]:
    """Every name that some object has: the format has no header, so all objects are read."""
    return names_of(read_json_array(stream, file=file), where=file)


def read_json_array(stream: IO[str], *, file: str) -> Iterator[Row | Rejection]:
    """A row or a rejection for every object. Raises DataError when the file is damaged, or none of the three forms."""
    document = _Document(stream, file)
    if _are_lines(document.start):
        stream.seek(0)
        yield from read_json_lines(stream, file=file)
        return
    opening = document.peek()
    if opening == "[":
        document.skip("[")
        for element in document.elements():
            yield _record(element, file)
    elif opening == "{":
        yield from _object_records(document, file)
    else:
        raise document.error("neither an array nor an object", opening)
    if following := document.peek():
        raise document.error("text after the end of the JSON", following)


def _record(element: _Element, file: str) -> Row | Rejection:
    if element.problem:
        return rejected(element.problem, element.raw, file=file, line=element.line)
    return object_record(element.value, element.raw, file=file, line=element.line)


def _are_lines(text: str) -> bool:
    first, _, following = text.lstrip().partition("\n")
    if first[:1] != "{" or not following.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _object_records(document: _Document, file: str) -> Iterator[Row | Rejection]:
    """The objects of the one list that holds some; without one, lists of values are columns."""
    lists: dict[str, list[_Element]] = {}
    others: list[str] = []
    found: str | None = None
    document.skip("{")
    while (following := document.peek()) != "}":
        if following == ",":
            document.skip(",")
            continue
        key = str(document.value())
        document.skip(":")
        if document.peek() != "[":
            document.value()
            others.append(key)
            continue
        document.skip("[")
        if document.peek() != "{":
            lists[key] = list(document.elements())
        elif found is None:
            found = key
            yield from (_record(element, file) for element in document.elements())
        else:
            raise document.error("two lists of objects", [found, key])
    document.skip("}")
    if found is None and lists:
        if others or len({len(values) for values in lists.values()}) != 1:
            raise document.error("no list of objects, and no lists of one length for every key", [*lists, *others])
        yield from _transposed(lists, file)
    elif found is None:
        raise document.error("no list of objects", others)


def _transposed(columns: dict[str, list[_Element]], file: str) -> Iterator[Row | Rejection]:
    for cells in zip(*columns.values(), strict=True):
        value = {name: cell.value for name, cell in zip(columns, cells, strict=True)}
        problem = next((cell.problem for cell in cells if cell.problem), None)
        yield _record(_Element(cells[0].line, ", ".join(cell.raw for cell in cells), value, problem), file)
