"""The methods that are compared, each with settings that suit it."""

from dataclasses import dataclass
from typing import Final

from luthier.methods import METHODS, AnyMethod
from luthier.methods.shape import Architecture
from luthier.methods.support import unsupported
from luthier.recipe.schema import Recipe, TrainingSection
from luthier.tasks.head import HeadKind

# What a method wants in its own way: fields of ``training`` that some method has a default for. How long a training
# lasts is not among them: a method that says nothing of it trains as long as the recipe says.
OWN: Final = frozenset(
    field
    for method in METHODS.values()
    for defaults in (method.training_defaults, *method.family_defaults.values())
    for field in defaults
) - {"epochs"}

# 4-bit weights are for bases that would not fit otherwise.
UNLISTED: Final = tuple(kind for kind in METHODS if kind != "qlora")


@dataclass(frozen=True)
class Contender:
    """A method and the training it gets; the seed of ``training`` is replaced by each that is compared."""

    method: AnyMethod
    training: TrainingSection

    @property
    def kind(self) -> str:
        return self.method.kind

    def trained_with(self, seed: int) -> TrainingSection:
        """The training with another seed."""
        return self.training.model_copy(update={"seed": seed})


def contenders(recipe: Recipe, *, family: str, architecture: Architecture, head: HeadKind) -> tuple[Contender, ...]:
    """What a recipe has compared, in the order of ``METHODS``.

    The recipe's own method keeps its settings. Every other is made from its kind alone and trained as its defaults
    for the architecture say, and as the recipe says in all else: a learning rate of LoRA is wrong for prompt tuning.
    """
    out = left_out(recipe, family=family, head=head)
    return tuple(_contender(recipe, kind, architecture) for kind in _asked(recipe) if kind not in out)


def left_out(recipe: Recipe, *, family: str, head: HeadKind) -> dict[str, str]:
    """The methods that were asked for and are not compared, each with the reason."""
    found = {kind: _obstacle(recipe, kind, family, head) for kind in _asked(recipe)}
    return {kind: reason for kind, reason in found.items() if reason}


def _obstacle(recipe: Recipe, kind: str, family: str, head: HeadKind) -> str | None:
    if row := unsupported(kind, family, head):
        return row.reason
    if recipe.training.activation_checkpointing and not METHODS[kind].supports_activation_checkpointing:
        return "it cannot recompute activations, as the recipe wants"
    return None


def _asked(recipe: Recipe) -> list[str]:
    """The methods that a recipe lists; where it has no list all but qlora, unless that is its own."""
    listed = recipe.comparison.methods
    return [kind for kind in METHODS if (kind in listed if listed else kind in (recipe.method.kind, *UNLISTED))]


def _contender(recipe: Recipe, kind: str, architecture: Architecture) -> Contender:
    method, values = recipe.method, recipe.training.model_dump()
    if kind != method.kind:
        method = METHODS[kind].model_validate({"kind": kind})
        general = {field: TrainingSection.model_fields[field].get_default() for field in OWN}
        values |= general | {**method.training_defaults, **method.family_defaults.get(architecture, {})}
    if recipe.comparison.epochs is not None:
        values["epochs"] = recipe.comparison.epochs
    return Contender(method, TrainingSection.model_validate(values))
