"""The search space that a recipe declares, held against its method and its training."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeGuard

from pydantic import ValidationError

from luthier.methods import AnyMethod
from luthier.methods.method import Range
from luthier.recipe.problems import Places, Problem, nearest
from luthier.recipe.schema import TrainingSection
from luthier.recipe.tuning_section import TuningSection
from luthier.tuning.space import Dimension

KEYS = ("low", "high", "log", "choices", "when")
# What a study holds fixed: the same data, base and method, and what makes scores comparable.
FIXED = ("method.kind", "training.seed", "training.threads", "training.precision", "training.on_out_of_memory")


class SearchSpace:
    """``dimensions`` in the order in which they are suggested: after those that their conditions name.

    ``problems`` are what is wrong with the declaration; ``dimensions`` leaves the wrong entries out.
    """

    def __init__(self, tuning: TuningSection, method: AnyMethod, training: TrainingSection, places: Places) -> None:
        self.method, self.training, self.places = method, training, places
        self.problems: list[Problem] = []
        declared = tuning.space or method_space(method)
        found = [dimension for name, entry in declared.items() if (dimension := self._dimension(name, entry))]
        self.dimensions = self._ordered(found)
        if tuning.trials is None and tuning.max_hours is None:
            self._wrong("trials", None, "or max_hours must be given, else no study would end", section="tuning.")
        if tuning.sampler == "grid" and any(dimension.when for dimension in found):
            self._wrong("sampler", "grid", "cannot search fields under a condition; use tpe", section="tuning.")

    def _wrong(self, name: str, received: object, rule: str, near: str | None = None, *, section: str = "") -> None:
        field = f"{section or 'tuning.space.'}{name}"
        self.problems.append(self.places.problem(field, received, rule, near))

    def _dimension(self, name: str, entry: Any) -> Dimension | None:
        before = len(self.problems)
        field = self._field(name)
        if field is None:
            return None
        if isinstance(entry, list):
            entry = {"choices": entry}
        if not isinstance(entry, Mapping):
            self._wrong(name, entry, "must be a list of values, or {low, high}, or {choices}")
            return None
        for key in entry:
            if key not in KEYS:
                self._wrong(f"{name}.{key}", entry[key], f"unknown key; known here: {', '.join(KEYS)}")
        when = self._condition(name, entry.get("when", {}))
        dimension: Dimension | None
        if "choices" in entry:
            dimension = Dimension(field, choices=self._choices(name, field, entry), when=when)
        else:
            dimension = self._range(name, field, entry, when)
        return dimension if len(self.problems) == before else None

    def _field(self, name: str) -> str | None:
        """The dotted field that ``name`` means."""
        methods = [f"method.{field}" for field in type(self.method).model_fields]
        trainings = [f"training.{field}" for field in TrainingSection.model_fields]
        known = [field for field in (*methods, *trainings) if field not in FIXED]
        if name in known:
            return name
        meant = [field for field in known if field.partition(".")[2] == name]
        if len(meant) == 1:
            return meant[0]
        if meant:
            self._wrong(name, name, f"is a field of both; write {' or '.join(meant)}")
        elif name in FIXED or f"training.{name}" in FIXED:
            self._wrong(name, name, "is the same for all trials; give it in its own section")
        else:
            rule = f"must be a field of training or of method {self.method.kind}"
            short = {field.partition(".")[2]: field for field in known}
            self._wrong(name, name, rule, nearest(name.rpartition(".")[2], short))
        return None

    def _condition(self, name: str, when: Any) -> dict[str, tuple[Any, ...]]:
        if not isinstance(when, Mapping) or not all(isinstance(values, list) and values for values in when.values()):
            self._wrong(f"{name}.when", when, "must be {FIELD: [values]}")
            return {}
        fields = {other: self._field(str(other)) for other in when}
        return {field: tuple(when[other]) for other, field in fields.items() if field is not None}

    def _choices(self, name: str, field: str, entry: Mapping[str, Any]) -> tuple[Any, ...]:
        choices = entry["choices"]
        beside = [key for key in ("low", "high", "log") if key in entry]
        if beside:
            self._wrong(f"{name}.{beside[0]}", entry[beside[0]], "stands instead of choices; leave one of them out")
        if not isinstance(choices, list) or not choices:
            self._wrong(name, choices, "must be a list of values")
            return ()
        for value in choices:
            if (rule := self._refusal(field, value)) is not None:
                self._wrong(name, value, rule)
            elif [type(value) is type(other) and value == other for other in choices].count(True) > 1:
                self._wrong(name, value, "is there twice")
        return tuple(choices)

    def _range(self, name: str, field: str, entry: Mapping[str, Any], when: Mapping[str, Any]) -> Dimension | None:
        low, high, log = entry.get("low"), entry.get("high"), entry.get("log", False)
        if not (_is_number(low) and _is_number(high) and isinstance(log, bool)):
            self._wrong(name, dict(entry), "must have numbers low and high, and log as true or false")
            return None
        if low >= high:
            self._wrong(name, dict(entry), "must have a low below its high")
        if log and low <= 0:
            self._wrong(f"{name}.low", low, "must be above 0 where log is true")
        for end in (low, high):
            if (rule := self._refusal(field, end)) is not None:
                self._wrong(name, end, rule)
        whole = self._refusal(field, low + (high - low) / 2.0**0.5) is not None
        return Dimension(field, low=low, high=high, log=log, integer=whole, when=when)

    def _refusal(self, field: str, value: Any) -> str | None:
        return refusal(self.method, self.training, field, value)

    def _ordered(self, dimensions: list[Dimension]) -> tuple[Dimension, ...]:
        by_field = {dimension.field: dimension for dimension in dimensions}
        for dimension in dimensions:
            for other, values in dimension.when.items():
                absent = other not in by_field or not any(by_field[other].contains(value) for value in values)
                if absent:
                    short = dimension.field.partition(".")[2]
                    self._wrong(f"{short}.when", {other: list(values)}, "must name a searched field and its values")
        graph = {d.field: [other for other in d.when if other in by_field] for d in dimensions}
        try:
            order = list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            self._wrong(error.args[1][0].partition(".")[2], error.args[1], "has conditions that depend on each other")
            return ()
        free = [d for d in dimensions if not d.when]
        return (*free, *(by_field[name] for name in order if by_field[name].when))


def refusal(method: AnyMethod, training: TrainingSection, field: str, value: Any) -> str | None:
    """Why a field of the method or the training cannot have this value; None where it can."""
    section, name = field.split(".")
    model = method if section == "method" else training
    try:
        type(model).model_validate({**model.model_dump(), name: value})
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        return said.removeprefix("Value error, ").replace("Input should ", "must ")
    return None


def method_space(method: AnyMethod) -> dict[str, Any]:
    """The method's own space, as a recipe would declare it."""
    return {
        field: {"low": found.low, "high": found.high, "log": found.log} if isinstance(found, Range) else list(found)
        for field, found in method.search_space.items()
    }


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
