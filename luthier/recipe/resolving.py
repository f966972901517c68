"""A recipe with every default filled in, and where each value came from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from luthier.recipe.schema import Recipe

Scalar = str | int | float | bool | list[Any] | None


@dataclass(frozen=True)
class ResolvedRecipe:
    """A valid recipe. ``origins`` maps each dotted field to recipe, default, default of METHOD, or launch override."""

    name: str
    path: Path
    recipe: Recipe
    origins: Mapping[str, str]

    @property
    def model_name(self) -> str:
        """What the model is registered as."""
        return self.recipe.deploy.model or self.name

    def flat(self) -> dict[str, Scalar]:
        """Every value by its dotted field."""
        return dict(flatten(self.recipe.model_dump(mode="json")))

    def as_yaml(self) -> str:
        """The resolved recipe as YAML that is itself a recipe."""
        return yaml.safe_dump(self.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Scalar]]:
    """Leaves of nested mappings as (dotted field, value)."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def origins_of(
    recipe: Recipe, in_file: Mapping[str, Any], from_method: Mapping[str, Any], overrides: Mapping[str, Any]
) -> dict[str, str]:
    """Where each resolved value came from; ``overrides`` and ``from_method`` by dotted field."""
    written = dict(flatten(in_file))
    origins: dict[str, str] = {}
    for field, _ in flatten(recipe.model_dump(mode="json")):
        if _covers(overrides, field):
            origins[field] = "launch override"
        elif _covers(written, field):
            origins[field] = "recipe"
        elif field in from_method:
            origins[field] = f"default of {recipe.method.kind}"
        else:
            origins[field] = "default"
    return origins


def _covers(given: Mapping[str, Any], field: str) -> bool:
    return any(field == name or field.startswith(f"{name}.") for name in given)
