"""JSON Lines: an object a line; its numbers and truth values become the texts that JSON writes."""

import json
from collections.abc import Iterable, Iterator

from luthier.data.records import Rejection, Row, as_json, json_text, names_of, unreadable


def json_line_columns(lines: Iterable[str], *, file: str) -> list[str]:
    """Every name that some object has: the format has no header, so all lines are read."""
    return names_of(read_json_lines(lines, file=file), where=file)


def read_json_lines(lines: Iterable[str], *, file: str) -> Iterator[Row | Rejection]:
    """A row or a rejection for every line that is not blank; null is a missing value."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _record(line.rstrip("\r\n"), file, number)


def object_record(value: object, raw: str, *, file: str, line: int) -> Row | Rejection:
    """The row of a value decoded from ``raw``."""
    if problem := unreadable([raw]):
        return rejected(problem, raw, file=file, line=line)
    if not isinstance(value, dict):
        return rejected("not a JSON object", raw, file=file, line=line)
    values = {name: json_text(item) for name, item in value.items()}
    escaped = "\\u" in raw and (unreadable(values) or unreadable(values.values()))
    return rejected(escaped, raw, file=file, line=line) if escaped else Row(file, line, values)


def rejected(problem: str, raw: str, *, file: str, line: int) -> Rejection:
    """A rejection whose kind is what ``problem`` says before a colon."""
    return Rejection(file, line, problem.partition(":")[0], problem, as_json(raw))


def _record(line: str, file: str, number: int) -> Row | Rejection:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return rejected(unreadable([line]) or f"broken JSON: {error}", line, file=file, line=number)
    return object_record(value, line, file=file, line=number)
