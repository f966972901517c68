"""Texts as words, for counting: one place for what a word is, in scripts with and without spaces."""

from collections.abc import Sequence

from luthier.tasks.word_tags import words


def tokens(text: str) -> list[str]:
    """Words and marks in lower case; where no spaces part words, each character is one."""
    text = text.lower()
    return [text[start:end] for start, end in words(text)]


def word_count(text: str) -> int:
    """How many words; marks are none."""
    return sum(token[0].isalnum() for token in tokens(text))


def ngrams(of: Sequence[str], length: int) -> list[tuple[str, ...]]:
    """Every run of ``length`` tokens, in order."""
    return [tuple(of[start : start + length]) for start in range(len(of) - length + 1)]
