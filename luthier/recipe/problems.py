"""What is wrong with a recipe: every problem at once, each with where it is and what would be right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from luthier.errors import LuthierError

NOTHING = object()


@dataclass(frozen=True)
class Problem:
    """One mistake in a recipe. ``line`` is None for a value given at launch."""

    file: Path
    line: int | None
    field: str
    rule: str
    received: object = NOTHING
    nearest: str | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else f"{self.file} (--set)"
        received = "" if self.received is NOTHING else f"received {self.received!r}: "
        nearest = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        return f"{where}: {self.field}: {received}{self.rule}{nearest}"


class RecipeError(LuthierError):
    """A recipe that cannot be run, with all its problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem.field)))
        count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        super().__init__("\n".join([f"{count} in {problems[0].file}", *map(str, self.problems)]))


def nearest(name: object, valid: Iterable[str]) -> str | None:
    """The valid name closest to ``name``, if any is close."""
    return next(iter(get_close_matches(str(name), list(valid), n=1, cutoff=0.5)), None)
