"""A recipe held against what is already here, before anything is downloaded or trained."""

from collections.abc import Sequence
from dataclasses import dataclass

from luthier.errors import LuthierError
from luthier.recipe.data_section import DataSection
from luthier.recipe.facts import KnownModel, check_recipe
from luthier.recipe.problems import RecipeError
from luthier.recipe.resolving import ResolvedRecipe
from luthier.recipe.schema import BaseModelSection
from luthier.sources import NotDownloadedError
from pipelines.home_resources import home_artifacts, home_recipes
from resources.artifact_store import ArtifactStore
from resources.recipe_book import RecipeBook
from resources.source_access import fetch_base_model, fetch_data, source_access


def check_before_run(name: str, overrides: Sequence[str] = ()) -> ResolvedRecipe:
    """The resolved recipe, or all its problems: also columns and model, where data and model need no download."""
    book, artifacts = home_recipes(), home_artifacts()
    at_hand = _AtHand(name, book, artifacts)
    return check_recipe(book.path(name), overrides, columns=at_hand.columns, model=at_hand.model)


@dataclass(frozen=True)
class _AtHand:
    """What is known of a recipe's sources without a download; None where it is not."""

    recipe: str
    book: RecipeBook
    artifacts: ArtifactStore

    def columns(self, data: DataSection) -> Sequence[str] | None:
        """The columns that all files have."""
        from luthier.data.reading import column_names

        try:
            sources = fetch_data(data, source_access(self.book, self.artifacts, offline=True))
        except NotDownloadedError:
            return None
        files = [path for source in sources for path in source.files.values()]
        columns = [column_names(path, data.format, data.pattern) for path in files]
        return [name for name in columns[0] if all(name in others for others in columns)] if columns else None

    def model(self, base: BaseModelSection) -> KnownModel | None:
        """What the base model is like."""
        if base.adapter_of is not None:
            # What it is like is known when it is fetched; whether there can be one can be told now.
            self._require_beginning(base.adapter_of)
            return None
        try:
            fetched = fetch_base_model(base, source_access(self.book, self.artifacts, offline=True))
        except NotDownloadedError:
            return None
        snapshot = self.artifacts.find("base_model", {"fingerprint": fetched.fingerprint})
        if snapshot is not None:
            facts = snapshot.facts
            layers = {name: (inner, outer) for name, (inner, outer) in facts["linear_layers"].items()}
            return KnownModel(facts["family"], facts["encoder_decoder"], layers, facts["maximum_length"] or None)
        if fetched.path.is_file():
            return None
        from luthier.methods.shape import longest_input
        from luthier.models.configuration import read_config
        from luthier.models.loading import linear_layers
        from luthier.models.snapshot import require_model_folder

        require_model_folder(fetched.path)
        config = read_config(fetched.path)
        layers = linear_layers(fetched.path)
        return KnownModel(config.model_type, config.is_encoder_decoder, layers, longest_input(config))

    def _require_beginning(self, origin: str) -> None:
        """Raises a LuthierError where the recipe would start from itself, or from one that is not there."""
        self.book.path(origin)
        path = [self.recipe, origin]
        while path[-1] not in path[:-1]:
            try:
                following = RecipeBook(folder=self.book.folder).get(path[-1]).recipe.base_model.adapter_of
            except RecipeError:
                # Its own check says so.
                return
            if following is None:
                return
            path.append(following)
        raise LuthierError(f"recipes would start from each other: {' -> '.join(path)}", remedy="give one a source")
