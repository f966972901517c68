"""A recipe held against the facts: the columns of its source, the layers of its base model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from luthier.errors import DataError, LuthierError
from luthier.methods import AnyMethod
from luthier.recipe.data_section import DataSection
from luthier.recipe.draft import Draft
from luthier.recipe.problems import NOTHING, Places, Problem, nearest
from luthier.recipe.resolving import ResolvedRecipe
from luthier.recipe.schema import BaseModelSection

Sourced = TypeVar("Sourced", DataSection, BaseModelSection)
Fact = TypeVar("Fact")

Layers = Mapping[str, tuple[int, int]]
ColumnsOf = Callable[[DataSection], Sequence[str] | None]
LayersOf = Callable[[BaseModelSection], Layers | None]


def check_recipe(path: Path, overrides: Sequence[str] = (), *, columns: ColumnsOf, layers: LayersOf) -> ResolvedRecipe:
    """``load_recipe`` that also asks what the recipe's source and base model are like.

    ``columns`` gives the columns that all files of the source have, ``layers`` the linear layers of the base model as
    name -> (in, out) features. Either gives None where it cannot tell yet; a LuthierError of theirs is a problem of
    the source.
    A mistake in one section hides none in another, and an unknown key or a wrong value none beside it.

    Raises:
        RecipeError: with every problem of the file, the overrides and the facts.
    """
    draft = Draft(path, overrides)
    if (data := draft.data) and data.sources:
        field = "data.source" if data.source is not None else "data.train"
        draft.add(column_problems(data, _ask(columns, data, field, draft), draft.places))
    if base := draft.base_model:
        known = _ask(layers, base, "base_model.adapter_of" if base.adapter_of else "base_model.source", draft)
        if method := draft.method:
            draft.add(layer_problems(method, known, draft.places))
    return draft.resolve()


def fact_problems(resolved: ResolvedRecipe, *, columns: Sequence[str] | None, layers: Layers | None) -> list[Problem]:
    """What a valid recipe says that its source or its base model contradicts; None for facts not known."""
    recipe, places = resolved.recipe, resolved.places
    return [*column_problems(recipe.data, columns, places), *layer_problems(recipe.method, layers, places)]


def column_problems(data: DataSection, columns: Sequence[str] | None, places: Places) -> list[Problem]:
    """Columns that the recipe names and the source lacks."""
    if columns is None:
        return []
    try:
        data.required_columns(columns)
    except DataError as error:
        return [places.problem("data.columns", NOTHING, f"{error.what}; {error.remedy}")]
    named = [(field, name) for field, names in data.columns.by_field.items() for name in sorted(names)]
    rule = f"must be a column of the source, which has {', '.join(columns) or 'none'}"
    return [
        places.problem(f"data.columns.{field}", name, rule, nearest(name, columns))
        for field, name in named
        if name not in columns
    ]


def layer_problems(method: AnyMethod, layers: Layers | None, places: Places) -> list[Problem]:
    """Settings of the method that cannot work on the base model's linear layers."""
    mismatches = [] if layers is None else method.mismatches(layers)
    return [places.problem(f"method.{found.field}", found.received, found.rule, found.nearest) for found in mismatches]


def _ask(question: Callable[[Sourced], Fact | None], section: Sourced, field: str, draft: Draft) -> Fact | None:
    try:
        return question(section)
    except LuthierError as error:
        rule = "; ".join(part for part in (error.what, error.remedy) if part)
        draft.add([draft.places.problem(field, getattr(section, field.rpartition(".")[2]), rule)])
        return None
