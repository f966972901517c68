"""JSON Lines: an object a line; its numbers and truth values become the texts that JSON writes."""

import json
from collections.abc import Iterable, Iterator

from luthier.data.records import Rejection, Row, as_json, require_usable_names, unreadable


def json_columns(lines: Iterable[str], *, where: str) -> list[str]:
    """Every name that some object has, in order of appearance: the format has no header, so all lines are read."""
    rows = read_json_lines(lines, file="")
    names = list(dict.fromkeys(name for row in rows if isinstance(row, Row) for name in row.values))
    require_usable_names(names, where=where)
    return names


def read_json_lines(lines: Iterable[str], *, file: str) -> Iterator[Row | Rejection]:
    """A row or a rejection for every line that is not blank; null is a missing value."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _record(line.rstrip("\r\n"), file, number)


def json_text(value: object) -> str | None:
    """A value as text: texts as they are, what JSON writes for all others, None for null."""
    return value if value is None or isinstance(value, str) else as_json(value)


def _record(line: str, file: str, number: int) -> Row | Rejection:
    if problem := unreadable([line]):
        return Rejection(file, number, problem, problem, as_json(line))
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Rejection(file, number, "broken JSON", f"broken JSON: {error}", as_json(line))
    if not isinstance(record, dict):
        return Rejection(file, number, "not a JSON object", "not a JSON object", as_json(line))
    values = {name: json_text(value) for name, value in record.items()}
    if problem := unreadable([*values, *values.values()]):
        return Rejection(file, number, problem, problem, as_json(line))
    return Row(file, number, values)
