"""Pydantic's errors as problems of a recipe: the field, one rule in plain words, the nearest valid name."""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from luthier.methods import METHODS
from luthier.recipe.problems import NOTHING, Places, Problem, nearest
from luthier.recipe.schema import Recipe

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[int | str, ...]

RULES = {
    "missing": "is required",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "string_type": "must be text, in quotes where it looks like something else",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
}


@dataclass(frozen=True)
class Target:
    """What an error is about: a dotted ``field`` (``item`` is its index in a list) of the model ``owner``."""

    field: str
    item: str
    owner: type[BaseModel]
    annotation: Any

    @property
    def choices(self) -> list[str]:
        """The names that the field's type lists."""
        return _literals(self.annotation)


def problems_of(error: ValidationError, places: Places) -> list[Problem]:
    """One problem for each field; a field that may be of several types gets one rule that names them all."""
    found = [(_target(detail["loc"]), detail) for detail in error.errors(include_url=False)]
    problems: list[Problem] = []
    for _, group in groupby(found, key=lambda pair: pair[0].field):
        alternatives = list(group)
        items = [pair for pair in alternatives if pair[0].item]
        for together in [[pair] for pair in items] or [alternatives]:
            problems.append(_problem(together[0][0], [detail for _, detail in together], places))
    return problems


def without_errors(model: type[Model], values: dict[str, Any]) -> Model | None:
    """``values`` as a section after its wrong fields are dropped; None when what is left is no section."""
    remaining = copy.deepcopy(values)
    try:
        return model.model_validate(remaining)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            _drop(remaining, detail["loc"])
    try:
        return model.model_validate(remaining)
    except ValidationError:
        return None


def _problem(target: Target, details: Sequence[ErrorDetails], places: Places) -> Problem:
    field, received, kind = target.field + target.item, details[0]["input"], details[0]["type"]
    match kind:
        case "missing":
            return places.problem(field, NOTHING, RULES[kind])
        case "extra_forbidden":
            valid = [name for name in target.owner.model_fields if name != "name"]
            near = nearest(field.rpartition(".")[2], valid)
            rule = "unknown key" if near else f"unknown key; known here: {', '.join(valid)}"
            return places.problem(field, received, rule, near)
        case "union_tag_invalid":
            received = received["kind"]
            return places.problem("method.kind", received, _one_of(list(METHODS)), nearest(received, METHODS))
        case "secret":
            # What was received is not repeated.
            return places.problem(field, NOTHING, details[0]["ctx"]["rule"])
        case "unknown_name":
            valid = details[0]["ctx"]["valid"].split(", ")
            return places.problem(field, received, _one_of(valid), nearest(received, valid))
    rules = list(dict.fromkeys(_rule(detail, target.choices) for detail in details))
    rule = " or ".join([rules[0], *(rule.removeprefix("must be ") for rule in rules[1:])])
    return places.problem(field, received, rule, nearest(received, target.choices))


def _rule(detail: ErrorDetails, choices: list[str]) -> str:
    if detail["type"] == "literal_error":
        return _one_of(choices)
    message = detail["msg"].removeprefix("Value error, ").replace(" after validation", "")
    return RULES.get(detail["type"]) or re.sub("^(Input|String|List|Value) should ", "must ", message)


def _one_of(names: Sequence[str]) -> str:
    return f"must be one of {', '.join(names)}" if len(names) > 1 else f"must be {names[0]}"


def _target(location: Location) -> Target:
    """What pydantic's ``location`` means; it also holds the method's kind, and branches of a field's types."""
    model: type[BaseModel] = Recipe
    names: list[str] = []
    if location[:1] == ("method",) and len(location) > 1:
        model, names, location = METHODS[str(location[1])], ["method"], location[2:]
    for depth, part in enumerate(location, start=1):
        names.append(str(part))
        known = model.model_fields.get(str(part))
        section = known and _section(known.annotation)
        if section is None:
            indices = [f".{index}" for index in location[depth:] if isinstance(index, int)]
            return Target(".".join(names), "".join(indices), model, known and known.annotation)
        if depth < len(location):
            model = section
    return Target(".".join(names), "", model, None)


def _section(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _literals(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(name) for name in get_args(annotation)]
    return [name for inner in get_args(annotation) for name in _literals(inner)]


def _drop(values: dict[str, Any], location: Location) -> None:
    """Removes the innermost thing given on the way to ``location``."""
    name, *rest = map(str, location)
    inner = values.get(name)
    if rest and isinstance(inner, dict) and rest[0] in inner:
        _drop(inner, tuple(rest))
    else:
        values.pop(name, None)
