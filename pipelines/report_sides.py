"""The reports that `luthier report --versus` compares: by recipe, by digest, or the champion's."""

from typing import TYPE_CHECKING

import dagster as dg

from assets.incumbent import registered_champion
from luthier.errors import LuthierError
from luthier.recipe.resolving import ResolvedRecipe, flatten
from pipelines.results import newest_evaluation
from resources.artifact_store import Artifact, ArtifactStore
from resources.home import recipes_folder
from resources.recipe_book import recipe_names
from resources.tracking import Tracking

if TYPE_CHECKING:
    from luthier.evaluation.versus import Side

# Fewer letters of a digest name nothing.
SHORTEST = 6
CHAMPION = "champion"


def own_side(recipe: str, instance: dg.DagsterInstance, artifacts: ArtifactStore) -> "Side":
    """The newest report of a recipe. Raises LuthierError: there is none."""
    _, report = newest_evaluation(recipe, instance, artifacts)
    return _side(recipe, report, artifacts)


def other_side(
    other: str, resolved: ResolvedRecipe, instance: dg.DagsterInstance, artifacts: ArtifactStore, tracking: Tracking
) -> "Side":
    """The report that ``other`` names.

    Raises:
        LuthierError: nothing has this name, or several reports begin with this digest.
    """
    if other == CHAMPION:
        champion = registered_champion(resolved.model_name, artifacts, tracking)
        if champion is None or champion.report is None:
            raise LuthierError(
                "there is no champion whose report is known",
                where=f"model {resolved.model_name}",
                remedy=f"run the recipe until it deploys: luthier run {resolved.name}",
            )
        report = artifacts.open("evaluation_report", champion.report)
        return _side(f"champion, version {champion.version}", report, artifacts)
    if other in recipe_names(recipes_folder()):
        return own_side(other, instance, artifacts)
    digest = _digest(other, artifacts)
    return _side(f"report {digest[:12]}", artifacts.open("evaluation_report", digest), artifacts)


def _digest(prefix: str, artifacts: ArtifactStore) -> str:
    known = artifacts.made("evaluation_report")
    found = [digest for digest in known if len(prefix) >= SHORTEST and digest.startswith(prefix)]
    if len(found) != 1:
        raise LuthierError(
            "several reports begin so" if found else "no recipe or report of this name",
            where="--versus",
            received=prefix,
            remedy=f"a recipe, `{CHAMPION}`, or at least {SHORTEST} letters of a report's digest",
        )
    return found[0]


def _side(name: str, artifact: Artifact, artifacts: ArtifactStore) -> "Side":
    from luthier.evaluation.report import read_report
    from luthier.evaluation.versus import Side
    from luthier.training.hyperparameters import read_hyperparameters

    report = read_report(artifact.folder)
    origin = artifacts.open("hyperparameters", report.digests["hyperparameters"])
    method, training, metric = read_hyperparameters(origin.folder)
    sections = {"method": method.model_dump(mode="json"), "training": training.model_dump(mode="json")}
    return Side(name, report, artifact.folder, {**dict(flatten(sections)), "evaluation.metric": metric})
