"""From a YAML file, and values given at launch, to a resolved recipe: or to all its problems at once."""

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from luthier.errors import LuthierError
from luthier.methods import METHODS
from luthier.recipe.positions import Document, parse_value, read_document
from luthier.recipe.problems import NOTHING, Problem, RecipeError, nearest
from luthier.recipe.resolving import ResolvedRecipe, origins_of
from luthier.recipe.schema import BaseModelSection, DataSection, Recipe
from luthier.tasks import TASKS

Model = TypeVar("Model", bound=BaseModel)

ColumnsOf = Callable[[DataSection], Sequence[str] | None]
LayersOf = Callable[[BaseModelSection], Mapping[str, tuple[int, int]] | None]


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> ResolvedRecipe:
    """The recipe in ``path`` with every default filled in.

    ``overrides`` are texts such as ``training.learning_rate=1e-3``.

    Raises:
        RecipeError: with every problem of the file and the overrides.
    """
    return check_recipe(path, overrides, columns=lambda _: None, layers=lambda _: None)


def check_recipe(path: Path, overrides: Sequence[str] = (), *, columns: ColumnsOf, layers: LayersOf) -> ResolvedRecipe:
    """``load_recipe``, and also holds the recipe against its data and base model where these are at hand.

    ``columns`` gives the columns of the source, ``layers`` the linear layers of the base model as name -> (in, out);
    either gives None when it would have to download. Sections that are wrong do not hide problems in others.
    """
    draft = _Draft(path, overrides)
    recipe = draft.validate()
    draft.check_columns(columns)
    draft.check_layers(layers)
    if draft.problems or recipe is None:
        raise RecipeError(draft.problems)
    origins = origins_of(recipe, draft.document.values, draft.from_method, draft.overrides)
    return ResolvedRecipe(path.stem, path, recipe, origins)


class _Draft:
    """A recipe on its way to being valid, and the problems found so far."""

    def __init__(self, path: Path, overrides: Sequence[str]) -> None:
        self.path = path
        self.document: Document = read_document(path)
        self.problems: list[Problem] = list(self.document.problems)
        self.overrides = self._parse_overrides(overrides)
        self.values: dict[str, Any] = copy.deepcopy(self.document.values)
        for field, value in self.overrides.items():
            self._put(field, value)
        self.from_method = self._apply_method_defaults()

    def problem(self, field: str, rule: str, *, received: object = NOTHING, near: str | None = None) -> None:
        given_at_launch = any(field == name or field.startswith(f"{name}.") for name in self.overrides)
        line = None if given_at_launch else self.document.line(field)
        self.problems.append(Problem(self.path, line, field, rule, received, near))

    def validate(self) -> Recipe | None:
        recipe: Recipe | None = None
        try:
            recipe = Recipe.model_validate(self.values)
        except ValidationError as error:
            for detail in error.errors():
                self._report(detail)
        self._check_metric()
        return recipe

    def check_columns(self, columns_of: ColumnsOf) -> None:
        """Columns that the recipe names and the source lacks."""
        data = self._section("data", DataSection)
        known = None if data is None else self._ask("data.source", columns_of, data)
        if data is None or known is None:
            return
        for field, names in (("text", {data.columns.text}), ("label", data.required_columns - {data.columns.text})):
            for name in sorted(names - set(known)):
                rule = f"no such column in the source; it has {', '.join(known)}"
                self.problem(f"data.columns.{field}", rule, received=name, near=nearest(name, known))

    def check_layers(self, layers_of: LayersOf) -> None:
        """Settings of the method that cannot work on the base model."""
        base = self._section("base_model", BaseModelSection)
        kind = METHODS.get(str(self._method().get("kind")))
        method = self._section("method", kind) if kind else None
        layers = None if base is None or method is None else self._ask("base_model.source", layers_of, base)
        for mismatch in method.mismatches(layers) if method is not None and layers is not None else ():
            self.problem(f"method.{mismatch.field}", mismatch.rule, received=mismatch.received, near=mismatch.nearest)

    def _ask(self, field: str, question: Callable[[Any], Any], section: BaseModel) -> Any:
        """A fact about what a section names; what is wrong there is one more problem."""
        try:
            return question(section)
        except LuthierError as error:
            remedy = f"; {error.remedy}" if error.remedy else ""
            self.problem(field, f"{error.what}{remedy}", received=error.received or NOTHING)
            return None

    def _parse_overrides(self, overrides: Sequence[str]) -> dict[str, Any]:
        parsed: dict[str, Any] = {}
        for text in overrides:
            field, equals, value = text.partition("=")
            if not equals or not field.strip():
                self.problems.append(Problem(self.path, None, text, "must be FIELD=VALUE"))
            else:
                parsed[field.strip()] = parse_value(value)
        return parsed

    def _put(self, field: str, value: Any) -> None:
        *parents, last = field.split(".")
        place = self.values
        for name in parents:
            inner = place.get(name)
            place[name] = inner if isinstance(inner, dict) else {}
            place = place[name]
        place[last] = value

    def _method(self) -> dict[str, Any]:
        method = self.values.get("method", {"kind": "lora"})
        return method if isinstance(method, dict) else {}

    def _apply_method_defaults(self) -> dict[str, Any]:
        """Training values that suit the method, where neither the file nor the launch says otherwise."""
        kind = METHODS.get(str(self._method().get("kind")))
        training = self.values.setdefault("training", {})
        if kind is None or not isinstance(training, dict):
            return {}
        missing = {name: value for name, value in kind.training_defaults.items() if name not in training}
        training |= missing
        return {f"training.{name}": value for name, value in missing.items()}

    def _check_metric(self) -> None:
        evaluation, task = self.values.get("evaluation"), TASKS.get(str(self.values.get("task")))
        metric = evaluation.get("metric") if isinstance(evaluation, dict) else None
        known = task.metrics if task else [name for each in TASKS.values() for name in each.metrics]
        if isinstance(metric, str) and metric not in known:
            rule = f"no metric of the task; it has {', '.join(known)}"
            self.problem("evaluation.metric", rule, received=metric, near=nearest(metric, known))

    def _section(self, name: str, model: type[Model]) -> Model | None:
        """A section without its mistakes, which are reported already and should hide no other."""
        values = copy.deepcopy(self.values.get(name))
        for _ in range(3):
            try:
                return model.model_validate(values)
            except ValidationError as error:
                for detail in error.errors():
                    _remove(values, detail["loc"])
        return None

    def _report(self, detail: ErrorDetails) -> None:
        location = [str(part) for part in detail["loc"] if part not in METHODS]
        field = ".".join(location) or "(recipe)"
        received: object = detail["input"]
        match detail["type"]:
            case "extra_forbidden":
                valid = _fields_of(detail["loc"][:-1])
                self.problem(field, "unknown key", received=received, near=nearest(location[-1], valid))
            case "missing":
                self.problem(field, "is required")
            case "union_tag_invalid" | "union_tag_not_found":
                kind = received.get("kind") if isinstance(received, dict) else received
                rule = f"must be one of {', '.join(METHODS)}"
                self.problem("method.kind", rule, received=kind, near=nearest(kind, METHODS))
            case "literal_error":
                valid = [part.strip("' ") for part in str(detail["ctx"]["expected"]).replace(" or ", ",").split(",")]
                self.problem(field, _rule(detail), received=received, near=nearest(received, valid))
            case _:
                shown = NOTHING if isinstance(received, dict) and detail["type"] == "value_error" else received
                self.problem(field, _rule(detail), received=shown)


def _remove(values: Any, location: tuple[int | str, ...]) -> None:
    for part in location[:-1]:
        values = values.get(part) if isinstance(values, dict) else None
    if isinstance(values, dict) and location:
        values.pop(location[-1], None)


def _rule(detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return message[:1].lower() + message[1:]


def _fields_of(location: tuple[int | str, ...]) -> list[str]:
    """The names that are valid at a location of the schema."""
    model: Any = Recipe
    for part in location:
        if part in METHODS:
            model = METHODS[str(part)]
            continue
        annotation = model.model_fields[str(part)].annotation
        found = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type) and issubclass(a, BaseModel)]
        model = found[0]
    return list(model.model_fields)
