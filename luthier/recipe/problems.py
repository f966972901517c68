"""What is wrong with a recipe: every problem at once, each with where it is and what would be right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from luthier.errors import LuthierError

NOTHING: Final = object()
LONGEST_SHOWN = 100


@dataclass(frozen=True)
class Problem:
    """One mistake. ``file`` is None for a value given at launch, ``line`` is None where the whole file is wrong."""

    file: Path | None
    line: int | None
    field: str
    received: object
    rule: str
    nearest: str | None = None

    def __str__(self) -> str:
        place = "--set" if self.file is None else f"{self.file}:{self.line}" if self.line else str(self.file)
        received = "" if self.received is NOTHING else f"received {_shown(self.received)}"
        nearest = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        return ": ".join(part for part in (place, self.field, received, f"{self.rule}{nearest}") if part)


class RecipeError(LuthierError):
    """A recipe that cannot be run, with all its problems: those of the file by line, then those of the launch."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.file is None, problem.line or 0)))
        count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        super().__init__("\n".join([f"the recipe has {count}:", *map(str, self.problems)]))


@dataclass(frozen=True)
class Places:
    """Where each field was given: ``lines`` of the file by dotted field, or at launch."""

    path: Path
    lines: Mapping[str, int]
    launched: frozenset[str] = frozenset()

    def problem(self, field: str, received: object, rule: str, nearest: str | None = None) -> Problem:
        """A problem at ``field``, or at the closest part of the recipe around it that was given."""
        around = [field, *_around(field)]
        below = field not in self.lines and any(name.startswith(f"{field}.") for name in self.launched)
        if below or not self.launched.isdisjoint(around):
            return Problem(None, None, field, received, rule, nearest)
        line = next((self.lines[name] for name in around if name in self.lines), 1)
        return Problem(self.path, line, field, received, rule, nearest)


def nearest(name: object, valid: Iterable[str]) -> str | None:
    """The valid name closest to ``name``, whatever its case; None when none is close."""
    by_lower = {candidate.lower(): candidate for candidate in valid}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5) if isinstance(name, str) else []
    return by_lower[close[0]] if close else None


def _around(field: str) -> list[str]:
    parts = field.split(".")
    return [".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
