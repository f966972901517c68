"""A recipe held against the facts: the columns of its source, the layers of its base model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from luthier.errors import DataError, LuthierError
from luthier.methods import AnyMethod
from luthier.methods.support import unsupported
from luthier.recipe.data_section import DataSection
from luthier.recipe.deploy_section import DeploySection
from luthier.recipe.draft import Draft
from luthier.recipe.problems import NOTHING, Places, Problem, RecipeError, nearest
from luthier.recipe.resolving import ResolvedRecipe
from luthier.recipe.schema import BaseModelSection, TrainingSection
from luthier.tasks import TASKS, Task
from luthier.tasks.batches import longest_fitting

Sourced = TypeVar("Sourced", DataSection, BaseModelSection)
Fact = TypeVar("Fact")

ColumnsOf = Callable[[DataSection], Sequence[str] | None]


@dataclass(frozen=True)
class KnownModel:
    """What is known of a base model without its weights; ``layers`` are its linear ones, name -> (in, out) features.

    ``positions``: the most tokens it reads; None where there is no most.
    """

    family: str
    encoder_decoder: bool
    layers: Mapping[str, tuple[int, int]]
    positions: int | None = None


ModelOf = Callable[[BaseModelSection], KnownModel | None]


def check_recipe(path: Path, overrides: Sequence[str] = (), *, columns: ColumnsOf, model: ModelOf) -> ResolvedRecipe:
    """``load_recipe`` that also asks what the recipe's source and base model are like.

    ``columns`` gives the columns that all files of the source have, ``model`` what the base model is like. Either
    gives None where it cannot tell yet; a LuthierError of theirs is a problem of
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
        known = _ask(model, base, "base_model.adapter_of" if base.adapter_of else "base_model.source", draft)
        if (method := draft.method) and known:
            draft.add(layer_problems(method, known, draft.places))
            draft.add(position_problems(method, draft.training, known, draft.places))
            draft.add(support_problems(draft.task, draft.label_kind, method, known, draft.places))
        if (deploy := draft.deploy) and known:
            draft.add(base_target_problems(draft.task, draft.label_kind, deploy, known, draft.places))
    return draft.resolve()


def fact_problems(
    resolved: ResolvedRecipe, *, columns: Sequence[str] | None, model: KnownModel | None
) -> list[Problem]:
    """What a valid recipe says that its source or its base model contradicts; None for facts not known."""
    recipe, places = resolved.recipe, resolved.places
    found = column_problems(recipe.data, columns, places)
    if model is not None:
        found += layer_problems(recipe.method, model, places)
        found += position_problems(recipe.method, recipe.training, model, places)
        found += support_problems(TASKS[recipe.task], recipe.data.label_kind, recipe.method, model, places)
        found += base_target_problems(TASKS[recipe.task], recipe.data.label_kind, recipe.deploy, model, places)
    return found


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


def layer_problems(method: AnyMethod, model: KnownModel, places: Places) -> list[Problem]:
    """Settings of the method that cannot work on the base model's linear layers."""
    found = method.mismatches(model.layers)
    return [places.problem(f"method.{each.field}", each.received, each.rule, each.nearest) for each in found]


def position_problems(method: AnyMethod, training: TrainingSection, model: KnownModel, places: Places) -> list[Problem]:
    """Texts that, behind the method's virtual tokens, are longer than what the base model reads."""
    most = None if model.positions is None else longest_fitting(model.positions, method.virtual_tokens)
    if most is None or training.max_length <= most:
        return []
    if not most:
        rule = f"leaves no room for a text in the base model's {model.positions} positions"
        return [places.problem("method.num_virtual_tokens", method.virtual_tokens, rule)]
    rule = f"must be at most {most}, for the {model.positions} positions of the base model"
    if method.virtual_tokens:
        rule += f" less {method.virtual_tokens} virtual tokens"
    return [places.problem("training.max_length", training.max_length, rule)]


def support_problems(
    task: Task | None, label_kind: str | None, method: AnyMethod, model: KnownModel, places: Places
) -> list[Problem]:
    """A task or a method that cannot be had on the base model's family, with what can."""
    if task is None or label_kind not in task.label_kinds:
        return []
    head = task.head((), label_kind, encoder_decoder=model.encoder_decoder).kind
    found = unsupported(method.kind, model.family, head)
    if found is None:
        return []
    reason = f"does not work on {model.family} for {task.name}: {found.reason}"
    if not found.methods:
        return [places.problem("task", task.name, f"{reason}; docs/support.md lists what does")]
    return [places.problem("method.kind", method.kind, f"{reason}; use {' or '.join(found.instead)} instead")]


def base_target_problems(
    task: Task | None, label_kind: str | None, deploy: DeploySection, model: KnownModel, places: Places
) -> list[Problem]:
    """Targets that a model of the base's family cannot have."""
    if task is None or label_kind not in task.label_kinds:
        return []
    head = task.head((), label_kind, encoder_decoder=model.encoder_decoder).kind
    refused = {name: target.base_refusal(model.family, head) for name, target in deploy.beside_package.items()}
    return [
        places.problem(f"deploy.targets.{deploy.targets.index(name)}", name, rule)
        for name, rule in refused.items()
        if rule
    ]


def _ask(question: Callable[[Sourced], Fact | None], section: Sourced, field: str, draft: Draft) -> Fact | None:
    received = getattr(section, field.rpartition(".")[2])
    try:
        return question(section)
    except RecipeError as error:
        draft.add([draft.places.problem(field, received, each.rule, each.nearest) for each in error.problems])
    except LuthierError as error:
        found = "" if error.received in (None, received) else f": {error.received!r}"
        rule = "; ".join(part for part in (f"{error.what}{found}", error.remedy) if part)
        draft.add([draft.places.problem(field, received, rule)])
    return None
