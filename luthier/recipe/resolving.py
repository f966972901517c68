"""A recipe with every default filled in, and where each value came from."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from luthier.recipe.positions import to_yaml
from luthier.recipe.problems import Places
from luthier.recipe.schema import Recipe

Scalar = str | int | float | bool | list[Any] | None

RECIPE: Final = "recipe"
DEFAULT: Final = "default"
LAUNCH: Final = "launch override"


@dataclass(frozen=True)
class ResolvedRecipe:
    """A valid recipe. ``origins``: each dotted field to recipe, default, default of METHOD, or launch override."""

    recipe: Recipe
    origins: Mapping[str, str]
    path: Path
    lines: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.recipe.name

    @property
    def model_name(self) -> str:
        """What the model is registered as."""
        return self.recipe.deploy.model or self.name

    @property
    def places(self) -> Places:
        """Where each value was given."""
        return Places(self.path, self.lines, frozenset(name for name, o in self.origins.items() if o == LAUNCH))

    def flat(self) -> dict[str, Scalar]:
        """Every value by its dotted field."""
        return dict(flatten(self.recipe.model_dump(mode="json")))

    def as_yaml(self) -> str:
        """The resolved recipe as YAML that is itself a recipe."""
        return to_yaml(self.recipe.model_dump(mode="json"))


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Scalar]]:
    """Leaves of nested mappings as (dotted field, value)."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


class LayeredValues:
    """Nested values, put on top of each other, that remember the origin of each."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values: dict[str, Any] = copy.deepcopy(dict(values))
        self.origins: dict[str, str] = {name: RECIPE for name, _ in flatten(values)}
        self.launched: set[str] = set()

    def section(self, name: str) -> dict[str, Any]:
        """The section as given; empty if it is absent or no mapping."""
        found = self.values.get(name)
        return found if isinstance(found, dict) else {}

    def override(self, name: str, value: Any) -> None:
        """Puts a value given at launch in place of whatever is at ``name``."""
        *parents, last = name.split(".")
        place = self.values
        for depth, parent in enumerate(parents, start=1):
            if not isinstance(place.setdefault(parent, {}), dict):
                place[parent] = {}
                self.launched.add(".".join(parents[:depth]))
            place = place[parent]
        place[last] = copy.deepcopy(value)
        self.launched.add(name)
        self.origins = {given: o for given, o in self.origins.items() if given != name and not _below(given, name)}
        self.origins |= {given: LAUNCH for given, _ in flatten({name: value})}

    def spell_out(self, section: str, key: str) -> None:
        """Makes a text that stands for a section that section, with the text as its ``key``."""
        if isinstance(given := self.values.get(section), str):
            self.values[section] = {key: given}
            self.origins[f"{section}.{key}"] = self.origins.pop(section)

    def fill(self, section: str, defaults: Mapping[str, Any], origin: str) -> None:
        """Adds what ``section`` (dotted) does not say; leaves one alone that is no mapping, or in none."""
        given: Any = self.values
        for name in section.split("."):
            given = given.setdefault(name, {}) if isinstance(given, dict) else None
        if isinstance(given, dict):
            missing = {name: value for name, value in defaults.items() if name not in given}
            given |= missing
            self.origins |= {f"{section}.{name}": origin for name in missing}

    def origins_of(self, recipe: Recipe) -> dict[str, str]:
        """The origin of every value of the recipe that these values made."""
        return {name: self.origins.get(name, DEFAULT) for name, _ in flatten(recipe.model_dump(mode="json"))}


def _below(name: str, section: str) -> bool:
    return name.startswith(f"{section}.")
