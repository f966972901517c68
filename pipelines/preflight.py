"""A recipe held against what is already here, before anything is downloaded or trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from luthier.recipe.loading import check_recipe
from luthier.recipe.resolving import ResolvedRecipe
from luthier.recipe.schema import BaseModelSection, DataSection
from luthier.sources import Fetched, NotDownloadedError, fetch
from resources.artifact_store import ArtifactStore
from resources.home import luthier_home, recipes_folder
from resources.recipe_book import RecipeBook


def check_before_run(name: str, overrides: Sequence[str] = ()) -> ResolvedRecipe:
    """The resolved recipe, or all its problems: also columns and layers, where data and model need no download."""
    path = RecipeBook(folder=str(recipes_folder())).path(name)
    return check_recipe(path, overrides, columns=_columns, layers=_layers)


def _columns(data: DataSection) -> Sequence[str] | None:
    from luthier.data.reading import column_names

    fetched = _at_hand(data.source, data.sha256)
    return column_names(fetched.path) if fetched else None


def _layers(base: BaseModelSection) -> Mapping[str, tuple[int, int]] | None:
    fetched = _at_hand(base.source, base.sha256)
    if fetched is None:
        return None
    snapshot = ArtifactStore(home=str(luthier_home())).find("base_model", {"fingerprint": fetched.fingerprint})
    if snapshot is not None:
        return {name: (inner, outer) for name, (inner, outer) in snapshot.facts["linear_layers"].items()}
    if not (fetched.path / "config.json").is_file():
        return None
    from luthier.models.loading import linear_layers

    return linear_layers(fetched.path)


def _at_hand(uri: str, sha256: str | None) -> Fetched | None:
    root = Path(recipes_folder()).parent
    try:
        return fetch(uri, downloads=luthier_home() / "downloads", root=root, sha256=sha256, offline=True)
    except NotDownloadedError:
        return None
