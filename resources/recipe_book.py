"""The recipes, by name: one YAML file each."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from luthier.recipe.loading import load_recipe
from luthier.recipe.problems import Problem, RecipeError, nearest
from luthier.recipe.resolving import ResolvedRecipe


def recipe_names(folder: Path) -> list[str]:
    """The stems of the YAML files in ``folder``, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


class RecipeBook(dg.ConfigurableResource):
    """Resolves recipes, with overrides given at launch."""

    folder: str = Field(description="The folder that holds the recipes.")
    overrides: list[str] = Field(
        default=[], description="Values for this launch only, as 'training.learning_rate=1e-3'; they win over the file."
    )

    @property
    def root(self) -> Path:
        """What relative paths in a recipe are relative to: the folder that holds the recipes' folder."""
        return Path(self.folder).parent

    def get(self, name: str) -> ResolvedRecipe:
        """The recipe with every default filled in; all its problems at once if it has any."""
        return load_recipe(self.path(name), self.overrides)

    def path(self, name: str) -> Path:
        """The recipe's file; raises a RecipeError that names the nearest when there is none."""
        path = Path(self.folder) / f"{name}.yaml"
        if not path.is_file():
            names = recipe_names(Path(self.folder))
            rule = f"no such recipe; there are {', '.join(names) or 'none'}"
            raise RecipeError([Problem(path.parent, None, "", received=name, rule=rule, nearest=nearest(name, names))])
        return path
