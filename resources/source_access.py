"""What sources may touch, and the sources of a recipe made local."""

from luthier.data.raw import RawSource
from luthier.recipe.data_section import DataSection
from luthier.recipe.schema import BaseModelSection
from luthier.sources import Access, Fetched, fetch
from resources.artifact_store import ArtifactStore
from resources.home import data_roots
from resources.recipe_book import RecipeBook


def source_access(recipes: RecipeBook, artifacts: ArtifactStore, *, offline: bool = False) -> Access:
    """Downloads go to the home; files are read from the project and LUTHIER_DATA_ROOTS."""
    return Access(
        downloads=artifacts.downloads,
        root=recipes.root,
        allowed=data_roots(),
        offline=offline,
        predictions=artifacts.predictions,
    )


def fetch_data(data: DataSection, access: Access) -> list[RawSource]:
    """Every source of the rows, in the recipe's order."""
    return [
        RawSource(fetch(uri, access, sha256=data.sha256, query=data.query if uri.startswith("sql://") else None), split)
        for split, uris in data.sources.items()
        for uri in uris
    ]


def fetch_base_model(base: BaseModelSection, access: Access) -> Fetched:
    """The pretrained model of a section that names a source."""
    assert base.source is not None
    return fetch(base.source, access, sha256=base.sha256)
