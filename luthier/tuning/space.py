"""What a search may try: one dimension for each field of a recipe."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

# Of a range, where a sampler wants a grid.
GRID_POINTS = 4


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
    when: Mapping[str, tuple[Any, ...]] = dataclass_field(default_factory=dict)

    @property
    def is_range(self) -> bool:
        return not self.choices

    @property
    def bounds(self) -> tuple[float, float]:
        """The ends of a range."""
        assert self.low is not None and self.high is not None
        return self.low, self.high

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether this is searched beside the values chosen so far."""
        return all(name in values and values[name] in allowed for name, allowed in self.when.items())

    def contains(self, value: Any) -> bool:
        if not self.is_range:
            return value in self.choices
        low, high = self.bounds
        return isinstance(value, (int, float)) and low <= value <= high

    def including(self, value: Any) -> "Dimension":
        """The smallest dimension around this one that has ``value``."""
        if self.contains(value):
            return self
        if not self.is_range:
            return replace(self, choices=(*self.choices, value))
        low, high = self.bounds
        return replace(self, low=min(low, value), high=max(high, value), log=self.log and value > 0)

    def grid(self) -> tuple[Any, ...]:
        """The values of a grid search."""
        if not self.is_range:
            return tuple(map(_encoded, self.choices))
        low, high = self.bounds
        shares = [place / (GRID_POINTS - 1) for place in range(GRID_POINTS)]
        points = [low * (high / low) ** share if self.log else low + (high - low) * share for share in shares]
        points[-1] = high
        return tuple(sorted({round(point) for point in points})) if self.integer else tuple(points)

    def position(self, value: float) -> float:
        """Where a number lies in the range: 0 at its low end, 1 at its high one."""
        low, high = self.bounds
        if high == low:
            return 0.5
        if self.log:
            return math.log(value / low) / math.log(high / low)
        return (value - low) / (high - low)

    def suggest(self, trial: "optuna.Trial") -> Any:
        """What the sampler says for this trial."""
        if not self.is_range:
            return _decoded(trial.suggest_categorical(self.field, tuple(map(_encoded, self.choices))), self.choices)
        low, high = self.bounds
        if self.integer:
            return trial.suggest_int(self.field, int(low), int(high), log=self.log)
        return trial.suggest_float(self.field, low, high, log=self.log)

    def distribution(self) -> "optuna.distributions.BaseDistribution":
        from optuna import distributions

        if not self.is_range:
            return distributions.CategoricalDistribution(tuple(map(_encoded, self.choices)))
        low, high = self.bounds
        if self.integer:
            return distributions.IntDistribution(int(low), int(high), log=self.log)
        return distributions.FloatDistribution(low, high, log=self.log)


Space = Sequence[Dimension]


def suggest(space: Space, trial: "optuna.Trial") -> dict[str, Any]:
    """The values of one trial; those whose condition does not hold are absent."""
    values: dict[str, Any] = {}
    for dimension in space:
        if dimension.holds(values):
            values[dimension.field] = dimension.suggest(trial)
    return values


def encoded(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the database keeps them, without those that the space does not search beside the others."""
    kept: dict[str, Any] = {}
    for dimension in space:
        if dimension.field in values and dimension.holds(kept):
            kept[dimension.field] = values[dimension.field]
    return {d.field: kept[d.field] if d.is_range else _encoded(kept[d.field]) for d in space if d.field in kept}


def decoded(space: Space, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Values as a recipe has them, from those that the database keeps."""
    found = {dimension.field: dimension for dimension in space}
    return {
        name: value if found[name].is_range else _decoded(value, found[name].choices)
        for name, value in parameters.items()
    }


def as_json(space: Space) -> list[dict[str, Any]]:
    """The dimensions as digests and files have them."""
    return [
        {
            "field": dimension.field,
            **({"low": dimension.low, "high": dimension.high} if dimension.is_range else {}),
            **({"log": dimension.log, "integer": dimension.integer} if dimension.is_range else {}),
            **({} if dimension.is_range else {"choices": list(dimension.choices)}),
            **({"when": {name: list(values) for name, values in dimension.when.items()}} if dimension.when else {}),
        }
        for dimension in space
    ]


def _encoded(choice: Any) -> Any:
    """A choice as Optuna keeps it; lists and mappings as JSON."""
    return json.dumps(choice, sort_keys=True) if isinstance(choice, (list, dict)) else choice


def _decoded(kept: Any, choices: Sequence[Any]) -> Any:
    return next(choice for choice in choices if _encoded(choice) == kept and type(_encoded(choice)) is type(kept))
