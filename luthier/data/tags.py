"""One tag for each word of a text, as spans.

    text     Ann   Lee   met Bob       or ["Ann", "Lee", "met", "Bob"]
    tags     B-per I-per O   B-per     or ["B-per", "I-per", "O", "B-per"]

In IOB2 every span begins with B; in IOB1 (Ramshaw and Marcus 1995, cmp-lg/9505040) with I, unless a span of the same
label is just ahead; in IOBES its last word has E and a single word S. A tag without a prefix marks one word.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from luthier.data.spans import Span
from luthier.data.unusable import Unusable, json_value, missing, shown

OUTSIDE = "O"
PREFIXED = re.compile(r"([BIES])-(.+)", re.DOTALL)
JOINING, ENDING = ("I", "E"), ("E", "S", "")
WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Words:
    """A text and where each of its words begins and ends, in characters."""

    text: str
    places: Sequence[tuple[int, int]]

    @classmethod
    def of(cls, written: str) -> "Words":
        """The words of a text, or those of a JSON list of texts. Raises Unusable for a word without a character."""
        listed = json_value(written) if written.lstrip().startswith("[") else None
        if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
            return cls(written, [match.span() for match in WORD.finditer(written)])
        for number, word in enumerate(listed, 1):
            if not word.strip():
                raise Unusable("empty word", f"word {number} of {len(listed)} is empty")
        ends = accumulate(len(word) + 1 for word in listed)
        places = [(end - 1 - len(word), end - 1) for word, end in zip(listed, ends, strict=True)]
        return cls(" ".join(listed), places)


def tagged_spans(written: str, places: Sequence[tuple[int, int]], tag: Callable[[str], tuple[str, str]]) -> list[Span]:
    """The spans that the tags of the words at ``places`` mark; ``tag`` gives a tag's prefix and the name of its label.

    Raises Unusable.
    """
    tags = _tags(written)
    if len(tags) != len(places):
        raise Unusable("words and tags differ in number", f"{len(places)} words and {len(tags)} tags")
    spans: list[Span] = []
    inside = ""
    for (prefix, label), (start, end) in zip(map(tag, tags), places, strict=True):
        if label and label == inside and prefix in JOINING:
            spans[-1]["end"] = end
        elif label:
            spans.append(Span(start=start, end=end, label=label))
        inside = "" if prefix in ENDING else label
    return spans


def parted(tag: str) -> tuple[str, str]:
    """The prefix of a tag and its label; both are empty for O."""
    if tag == OUTSIDE:
        return "", ""
    match = PREFIXED.fullmatch(tag)
    return (match[1], match[2]) if match else ("", tag)


def _tags(written: str) -> list[str]:
    if not written.strip():
        missing()
    if not written.lstrip().startswith("["):
        return written.split()
    tags = json_value(written)
    if not isinstance(tags, list) or not all(type(tag) in (str, int) and str(tag).strip() for tag in tags):
        raise Unusable("broken tags", f"no JSON list of tags: {shown(written)}")
    return [str(tag).strip() for tag in tags]
