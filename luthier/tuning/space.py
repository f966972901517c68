"""What a search may try: one dimension for each field of a recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Dimension:
    """Numbers from ``low`` to ``high``, both among them, or some ``choices``.

    ``field`` is dotted, as in ``training.learning_rate``. ``when`` goes by the field of another dimension: this one is
    searched only where each has one of the values.
    """

    field: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    integer: bool = False
    choices: tuple[Any, ...] = ()
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def is_range(self) -> bool:
        return not self.choices
