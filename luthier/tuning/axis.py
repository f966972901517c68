"""Where values lie on an axis from 0 to 1, and what is written beside it."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from luthier.evaluation.wording import shortened
from luthier.tuning.space import Dimension
from luthier.tuning.wording import value_text

LONGEST_CHOICE = 16
# Two ticks nearer to each other would be written over each other.
APART = 0.11
MANTISSAS = (1, 2, 5)

Tick = tuple[float, str]


class Axis(Protocol):
    """What a picture needs of a dimension."""

    @property
    def ticks(self) -> Sequence[Tick]:
        """The places that are written at, with their texts."""

    def place(self, value: Any) -> float | None:
        """Where a value lies; None where it has no place here."""


@dataclass(frozen=True)
class NumberAxis:
    """Numbers from ``low`` at 0 to ``high`` at 1; equal ends lie in the middle."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def place(self, value: Any) -> float | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or (self.log and value <= 0):
            return None
        if self.low == self.high:
            return 0.5
        low, high, at = map(self._scaled, (self.low, self.high, value))
        return (at - low) / (high - low)

    @property
    def ticks(self) -> list[Tick]:
        """Both ends, and between them the round numbers for which there is room."""
        found: list[Tick] = []
        for value in (self.low, self.high, *self._round_numbers()):
            place = self.place(value)
            if place is not None and all(abs(place - other) >= APART for other, _ in found):
                found.append((place, _tick_text(value)))
        return sorted(found)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def _round_numbers(self) -> list[float]:
        if self.low == self.high:
            return []
        if self.log:
            exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            powers = [10.0**exponent for exponent in exponents]
            rounds = powers if len(powers) > 3 else [mantissa * power for power in powers for mantissa in MANTISSAS]
        else:
            from matplotlib.ticker import MaxNLocator

            rounds = [float(v) for v in MaxNLocator(4, integer=self.integer).tick_values(self.low, self.high)]
        return [value for value in rounds if self.low < value < self.high]


@dataclass(frozen=True)
class ChoiceAxis:
    """Some values in the order given, evenly spread."""

    choices: tuple[Any, ...]

    def place(self, value: Any) -> float | None:
        wanted = _identity(value)
        row = next((row for row, choice in enumerate(self.choices) if _identity(choice) == wanted), None)
        return None if row is None else (row + 0.5) / len(self.choices)

    @property
    def ticks(self) -> list[Tick]:
        texts = [shortened(value_text(choice), LONGEST_CHOICE) for choice in self.choices]
        return [((row + 0.5) / len(texts), text) for row, text in enumerate(texts)]


def axis_of(dimension: Dimension, values: Iterable[Any]) -> Axis:
    """The axis of a dimension, wide enough for ``values``: a recipe's own value may lie outside of the space."""
    if not dimension.is_range:
        seen = {_identity(choice): choice for choice in (*dimension.choices, *values)}
        return ChoiceAxis(tuple(seen.values()))
    given = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    ends = [end for end in (dimension.low, dimension.high) if end is not None]
    found = [*ends, *(value for value in given if value > 0 or not dimension.log)]
    return NumberAxis(min(found), max(found), log=dimension.log, integer=dimension.integer)


def _identity(value: Any) -> str:
    """1 and 1.0 are one value, 1 and true are two."""
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if whole else value, sort_keys=True, default=list)


def _tick_text(value: float) -> str:
    """``0.001``, ``1e-05``, ``2,000``"""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
