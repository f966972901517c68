"""The recipes, by name: one YAML file each."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from luthier.errors import LuthierError
from luthier.recipe.loading import load_recipe
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
        from difflib import get_close_matches

        path = Path(self.folder) / f"{name}.yaml"
        if not path.is_file():
            names = recipe_names(Path(self.folder))
            near = get_close_matches(name, names, n=1)
            raise LuthierError(
                "no such recipe",
                where=self.folder,
                received=name,
                remedy=f"did you mean {near[0]!r}?" if near else f"one of {', '.join(names) or '(none there)'}",
            )
        return load_recipe(path, self.overrides)
