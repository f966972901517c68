"""Answers that stand in a text, by where they do: as SQuAD has them (Rajpurkar et al. 2016, arXiv 1606.05250).

    {"text": ["Ann"], "answer_start": [0]}
    [{"text": "Ann", "answer_start": 0}]
    [{"start": 0, "end": 3}]

No answer at all means that the text holds none.
"""

import math
from typing import Any

from luthier.data.spans import Span, offset, require_place
from luthier.data.text import in_place
from luthier.data.unusable import Unusable, json_value, missing, shown

ANSWER = "answer"
BROKEN = "broken answers"


def answer_spans(written: str, text: str) -> list[Span]:
    """The answers that JSON lists, in its order; ``text`` is cleaned in place. Raises Unusable."""
    if not written.strip():
        missing()
    value = json_value(written)
    if isinstance(value, dict):
        value = _listed(value, written)
    if not isinstance(value, list):
        raise Unusable(BROKEN, f"no JSON with answers: {shown(written)}")
    return [_span(entry, text) for entry in value]


def answer_at(answer: str | None, start: str | None, text: str) -> list[Span]:
    """The one answer that columns give; none where it is empty, or its place -1. Raises Unusable."""
    if not answer or not answer.strip():
        return []
    try:
        place = float(start or "")
    except ValueError:
        place = math.nan
    if not place.is_integer():
        raise Unusable(BROKEN, f"the place of the answer is no whole number: {shown(start)}")
    return [] if place == -1 else [_found(answer, int(place), text)]


def _listed(value: dict[str, Any], written: str) -> list[dict[str, Any]]:
    texts, starts = value.get("text"), value.get("answer_start")
    if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
        raise Unusable(BROKEN, f"no lists text and answer_start of one length: {shown(written)}")
    return [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]


def _span(entry: object, text: str) -> Span:
    if isinstance(entry, dict):
        answer, start, end = entry.get("text"), offset(entry.get("start")), offset(entry.get("end"))
        place = offset(entry["answer_start"]) if "answer_start" in entry else start
        if isinstance(answer, str) and answer.strip() and place is not None:
            return _found(answer, place, text)
        if answer is None and start is not None and end is not None:
            require_place(start, end, text)
            return Span(start=start, end=end, label=ANSWER)
    raise Unusable(BROKEN, f"no answer with text and answer_start, or start and end: {shown(entry)}")


def _found(answer: str, start: int, text: str) -> Span:
    end = start + len(answer)
    there = text[start:end] if start >= 0 else ""
    if there != in_place(answer):
        raise Unusable("answer not at its place", f"at {start} stands {shown(there)}, the answer is {shown(answer)}")
    return Span(start=start, end=end, label=ANSWER)
