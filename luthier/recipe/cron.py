"""Cron texts: five fields, as crontab(5) has them, or a name such as @daily.

``cron_mistake("0 25 * * 1")`` -> ``"the hour 25 is not between 0 and 23"``
"""

import re
from dataclasses import dataclass
from typing import Final

NICKNAMES: Final = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Of January and so on; the 29th of February comes, if rarely.
DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class CronField:
    """One of the five; ``names`` may stand for the numbers from ``low`` on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        """A number or a name. Raises CronMistake."""
        if text.lower() in self.names:
            return self.low + self.names.index(text.lower())
        if not re.fullmatch(r"[0-9]{1,2}", text):
            raise CronMistake(f"the {self.name} {text!r} is no number" + (f" and no {self.kind}" if self.names else ""))
        if not self.low <= int(text) <= self.high:
            raise CronMistake(f"the {self.name} {text} is not between {self.low} and {self.high}")
        return int(text)

    def numbers(self, text: str) -> set[int]:
        """All that a field's text stands for. Raises CronMistake."""
        return {number for part in text.split(",") for number in self._part(part)}

    @property
    def kind(self) -> str:
        """What its names look like."""
        return f"name such as {self.names[1]}"

    def _part(self, text: str) -> range:
        span, slash, step = text.partition("/")
        if slash and not (re.fullmatch(r"[0-9]{1,2}", step) and 1 <= int(step) <= self.high):
            raise CronMistake(f"the step {step!r} of the {self.name} is not between 1 and {self.high}")
        if span == "*":
            return range(self.low, self.high + 1, int(step or 1))
        first, dash, last = span.partition("-")
        if slash and not dash:
            raise CronMistake(f"the {self.name} {text!r} has a step, and nothing such as * or 1-5 to step through")
        begin, end = self.number(first), self.number(last if dash else first)
        if end < begin:
            raise CronMistake(f"the {self.name} {span!r} runs backwards")
        return range(begin, end + 1, int(step or 1))


FIELDS: Final = (
    CronField("minute", 0, 59),
    CronField("hour", 0, 23),
    CronField("day", 1, 31),
    CronField("month", 1, 12, MONTHS),
    CronField("weekday", 0, 7, WEEKDAYS),
)


class CronMistake(ValueError):
    """A cron text that never comes, or that is none."""


def cron_mistake(text: str) -> str | None:
    """What is wrong with a cron text, if anything."""
    if text in NICKNAMES:
        return None
    parts = text.split()
    if len(parts) != len(FIELDS):
        return f"it has {len(parts)} field{'s' if len(parts) != 1 else ''}, and not minute hour day month weekday"
    try:
        numbers = [field.numbers(part) for field, part in zip(FIELDS, parts, strict=True)]
    except CronMistake as mistake:
        return str(mistake)
    _, _, days, months, _ = numbers
    if min(days) > max(DAYS[month - 1] for month in months):
        return "no such day is in such a month"
    return None
