"""Texts as words, for counting: one place for what a word is, in scripts with and without spaces."""

from collections.abc import Sequence

from luthier.tasks.word_tags import words


def tokens(text: str) -> list[str]:
    """Words and marks in lower case; where no spaces part words, each character is one."""
    return [text[start:end].lower() for start, end in words(text)]


def written(text: str, first: int, end: int) -> str:
    """The part of a text that some of its tokens, [first, end), stand for."""
    places = words(text)
    return text[places[first][0] : places[end - 1][1]]


def word_count(text: str) -> int:
    """How many words; marks are none."""
    return sum(token[0].isalnum() for token in tokens(text))


def ngrams(of: Sequence[str], length: int) -> list[tuple[str, ...]]:
    """Every run of ``length`` tokens, in order."""
    return [tuple(of[start : start + length]) for start in range(len(of) - length + 1)]
