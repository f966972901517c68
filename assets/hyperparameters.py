"""hyperparameters: the values the next training uses."""

import dagster as dg

from assets.materialization import materialized, mistakes_explained, table
from assets.partitions import recipe_partitions
from assets.run_listing import listing_tags
from assets.studies import STUDY, FinishedStudy, finished_studies, round_of, setting_of
from luthier.recipe.resolving import LAUNCH, ResolvedRecipe
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking


@dg.asset(
    partitions_def=recipe_partitions,
    io_manager_key="artifacts",
    group_name="finetuning",
    kinds={"json"},
    # Of studies, those that were finished before are read; a run without one waits for none.
    deps=["tuning_study"],
)
def hyperparameters(
    context: dg.AssetExecutionContext,
    base_model: Artifact,
    cleaned_splits: Artifact,
    recipes: RecipeBook,
    artifacts: dg.ResourceParam[ArtifactStore],
    tracking: Tracking,
) -> dg.MaterializeResult:
    """The values the next training uses, with the origin of each: recipe, default, study and trial, or launch."""
    from luthier.training.hyperparameters import described_values, training_values, write_hyperparameters

    with mistakes_explained():
        resolved, study = tuned(context, cleaned_splits, base_model, recipes, artifacts)
        artifact = artifacts.obtain(
            "hyperparameters",
            training_values(resolved),
            lambda folder: write_hyperparameters(resolved, folder),
        )
    with tracking.parent(context.run_id, context.partition_key) as parent:
        parent.log_params(resolved.flat())
        parent.log_text(resolved.as_yaml(), "recipe.yaml")
        parent.set_tags({"luthier.hyperparameters": artifact.digest})
        parent.set_tags(listing_tags(round_of(context), resolved.recipe.method.kind, cleaned_splits.digest))
        if study is not None:
            parent.set_tags({"luthier.study": study.result.study})
    rows = [{"name": n, "value": v["value"], "origin": v["origin"]} for n, v in described_values(resolved).items()]
    metadata = {
        "values": table(rows),
        "study": study.origin if study else "none for this data, base, method and recipe",
        "MLflow run": parent.link(),
    }
    if study is not None:
        metadata[STUDY] = study.artifact.digest
    return materialized(artifact, metadata)


def tuned(
    context: dg.AssetExecutionContext,
    cleaned_splits: Artifact,
    base_model: Artifact,
    recipes: RecipeBook,
    artifacts: ArtifactStore,
) -> tuple[ResolvedRecipe, FinishedStudy | None]:
    """The recipe with the values of the best trial, if there was a study of it; values given at launch win."""
    from luthier.training.hyperparameters import suited_to_base, with_values

    resolved = suited_to_base(recipes.get(context.partition_key), base_model.facts)
    launched = {name for name, origin in resolved.origins.items() if origin == LAUNCH}
    # A study that was itself launched with these values, else one of the recipe as it is written.
    for asked in (
        resolved,
        suited_to_base(RecipeBook(folder=recipes.folder).get(context.partition_key), base_model.facts),
    ):
        setting = setting_of(asked, cleaned_splits, base_model)
        finished = finished_studies(context.instance, resolved.name, setting, artifacts)
        if finished:
            study = best_of(finished)
            values = {name: v for name, v in study.best.items() if asked is resolved or name not in launched}
            return with_values(resolved, values, study.origin), study
    return resolved, None


def best_of(finished: list[FinishedStudy]) -> FinishedStudy:
    """The study with the best trial, the first of equals: a later round that found nothing better changes nothing."""
    sign = 1 if finished[0].result.higher_is_better else -1
    return max(finished, key=lambda study: (sign * (study.result.best.score or 0.0), -study.result.round))
