"""Marked parts of a text: ``[{"start": 0, "end": 3, "label": "person"}]``, in characters."""

from collections.abc import Callable
from typing import TypedDict

from luthier.data.unusable import Unusable, json_list, missing, shown


class Span(TypedDict):
    """A marked part of a text, in characters; ``end`` is the first after it."""

    start: int
    end: int
    label: str


def spans_of(written: str, text: str, name: Callable[[str], str]) -> list[Span]:
    """Spans that do not overlap, in the order of the text; ``name`` gives the name of a label as written.

    Raises Unusable.
    """
    if not written.strip():
        missing()
    spans = sorted((_span(entry, name) for entry in json_list(written, "broken spans")), key=lambda s: s["start"])
    end = 0
    for span in spans:
        require_place(span["start"], span["end"], text)
        if span["start"] < end:
            place = f"span {span['start']} to {span['end']}"
            raise Unusable("spans overlap", f"{place} begins before the span ahead of it ends, at {end}")
        end = span["end"]
    return spans


def require_place(start: int, end: int, text: str) -> None:
    """Raises Unusable for a span that marks nothing of ``text``."""
    place = f"span {start} to {end}"
    if not 0 <= start <= len(text) or not 0 <= end <= len(text):
        raise Unusable("span out of range", f"{place}; the text has {len(text)} characters")
    if start >= end:
        raise Unusable("span empty", f"{place} marks no character")


def offset(value: object) -> int | None:
    """A whole number as JSON has it; a bool is an int, and no offset."""
    return value if type(value) is int else None


def _span(entry: object, name: Callable[[str], str]) -> Span:
    if isinstance(entry, dict):
        start, end, label = offset(entry.get("start")), offset(entry.get("end")), entry.get("label")
        if start is not None and end is not None and isinstance(label, str) and (named := name(label)):
            return Span(start=start, end=end, label=named)
    raise Unusable("broken spans", f"no span with start, end and label: {shown(entry)}")
