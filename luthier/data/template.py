"""Texts made of several columns: ``{title}. {body}``. A text without braces is the name of one column."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from luthier.errors import DataError

PART = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")


@dataclass(frozen=True)
class Template:
    """``parts`` alternate: a literal, the name of a column, a literal, and so on."""

    text: str
    parts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Read a template; ``{{`` and ``}}`` are braces. Raises DataError."""
        if "{" not in text and "}" not in text:
            return cls(text, ("", text, ""))
        parts, literal, end = [], "", 0
        for match in PART.finditer(text):
            literal += text[end : match.start()]
            end = match.end()
            if match[1] is not None:
                parts += [literal, match[1].strip()]
                literal = ""
            elif match[0] in ("{{", "}}"):
                literal += match[0][0]
            else:
                raise DataError("a brace without its partner", received=text, remedy="write a brace itself as {{ or }}")
        parts.append(literal + text[end:])
        if len(parts) == 1 or not all(parts[1::2]):
            raise DataError("a template that names no column", received=text, remedy="write it as in '{title}. {body}'")
        return cls(text, tuple(parts))

    @property
    def columns(self) -> frozenset[str]:
        """The columns that the text is made of."""
        return frozenset(self.parts[1::2])

    def fill(self, row: Mapping[str, str | None]) -> str | None:
        """The text of one row; None when all its columns are missing, else a missing column is empty."""
        values = [row[name] for name in self.parts[1::2]]
        if all(value is None for value in values):
            return None
        filled = list(self.parts)
        filled[1::2] = [value or "" for value in values]
        return "".join(filled)
