"""The recipes, the artifacts and MLflow, as they are in this LUTHIER_HOME."""

from typing import TYPE_CHECKING

from resources.artifact_store import ArtifactStore
from resources.home import luthier_home, recipes_folder
from resources.recipe_book import RecipeBook

if TYPE_CHECKING:
    from resources.tracking import Tracking


def home_recipes() -> RecipeBook:
    return RecipeBook(folder=str(recipes_folder()))


def home_artifacts() -> ArtifactStore:
    return ArtifactStore(home=str(luthier_home()))


def home_tracking() -> "Tracking":
    # Dagster's databases come with it: half a second for commands that need none of it.
    from resources.tracking import Tracking

    return Tracking(home=str(luthier_home()))
