"""Spans of a text as one tag for each of its words, in IOB2, and back.

text     Ann   Lee   met Bob   .
tags     B-per I-per O   B-per O
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from luthier.tasks.windows import Place, Windows

OUTSIDE = "O"
# Thai to Myanmar, Khmer, kana and ideographs: no spaces part their words, so each character is one.
UNSPACED = "\u0e00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+|[^\w\s]")

Entity = tuple[int, int, str]


class Word(NamedTuple):
    """Characters [start, end) of a text, and the token of a window that carries their tag."""

    token: int
    start: int
    end: int


def words(text: str) -> list[Place]:
    """Where words stand; a mark that is no letter and no digit is a word of its own."""
    return [match.span() for match in WORD.finditer(text)]


def tags_of(places: Sequence[Place], spans: Sequence[Mapping[str, Any]]) -> list[str]:
    """The tag of each word; a span whose edge lies inside a word has the whole word."""
    starts, ends = [start for start, _ in places], [end for _, end in places]
    tags = [OUTSIDE] * len(places)
    for span in spans:
        inside = range(bisect_right(ends, span["start"]), bisect_left(starts, span["end"]))
        for word in inside:
            tags[word] = f"{'B' if word == inside[0] else 'I'}-{span['label']}"
    return tags


def entities(places: Sequence[Place], tags: Sequence[str]) -> list[Entity]:
    """Start, end and label of the spans that tags mark; an I with nothing to continue begins one."""
    found: list[Entity] = []
    before = ""
    for (start, end), tag in zip(places, tags, strict=True):
        prefix, _, label = tag.partition("-")
        if prefix == "I" and label == before:
            found[-1] = (found[-1][0], end, label)
        elif label:
            found.append((start, end, label))
        before = label
    return found


def tagged_words(given: Windows, texts: Sequence[str]) -> list[list[Word]]:
    """The words that each window tags: each word of a text once, where the window shows most of what is around it.

    Words that share their first token are one word, and characters that no token stands for are none.
    """
    places = [words(text) for text in texts]
    best: dict[Place, tuple[int, int, Word]] = {}
    for window, (row, first, offsets) in enumerate(zip(given.rows, given.firsts, given.offsets, strict=True)):
        for word in _words_at(offsets, places[row]):
            around = min(word.token, len(offsets) - 1 - word.token)
            if around > best.get((row, word.start), (-1,))[0]:
                best[row, word.start] = around, window, word._replace(token=first + word.token)
    # In the order of the texts, as a place keeps its turn when its value is replaced.
    found: list[list[Word]] = [[] for _ in given.rows]
    for _, window, word in best.values():
        found[window].append(word)
    return found


def _words_at(offsets: Sequence[Place], places: Sequence[Place]) -> list[Word]:
    """The words whose first character a token of ``offsets`` stands for."""
    if not offsets:
        return []
    ends = [end for _, end in offsets]
    shown = slice(bisect_left(places, (offsets[0][0], 0)), bisect_left(places, (ends[-1], 0)))
    found: list[Word] = []
    for start, end in places[shown]:
        token = bisect_right(ends, start)
        if offsets[token][0] > start:
            continue
        if found and found[-1].token == token:
            found[-1] = found[-1]._replace(end=end)
        else:
            found.append(Word(token, start, end))
    return found
