"""From a YAML file, and values given at launch, to a resolved recipe: or to all its problems at once."""

from collections.abc import Sequence
from pathlib import Path

from luthier.recipe.facts import check_recipe
from luthier.recipe.resolving import ResolvedRecipe


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> ResolvedRecipe:
    """The recipe in ``path`` with every default filled in.

    ``overrides`` are texts such as ``training.learning_rate=1e-3``; each replaces all that is at its field.

    Raises:
        RecipeError: with every problem of the file and the overrides.
    """
    return check_recipe(path, overrides, columns=lambda _: None, model=lambda _: None)
