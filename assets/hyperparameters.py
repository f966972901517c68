"""hyperparameters: the values the next training uses."""

import dagster as dg

from assets.materialization import materialized, mistakes_explained, table
from assets.partitions import recipe_partitions
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking


@dg.asset(partitions_def=recipe_partitions, io_manager_key="artifacts", group_name="finetuning", kinds={"json"})
def hyperparameters(
    context: dg.AssetExecutionContext,
    base_model: Artifact,
    recipes: RecipeBook,
    artifacts: dg.ResourceParam[ArtifactStore],
    tracking: Tracking,
) -> dg.MaterializeResult:
    """The values the next training uses, with the origin of each."""
    from luthier.training.hyperparameters import (
        architecture_of_base,
        suited_to,
        training_values,
        write_hyperparameters,
    )

    with mistakes_explained():
        resolved = suited_to(recipes.get(context.partition_key), architecture_of_base(base_model.facts))
        artifact = artifacts.obtain(
            "hyperparameters",
            training_values(resolved),
            lambda folder: write_hyperparameters(resolved, folder),
        )
    with tracking.parent(context.run_id, context.partition_key) as parent:
        parent.log_params(resolved.flat())
        parent.log_text(resolved.as_yaml(), "recipe.yaml")
        parent.set_tags({"luthier.hyperparameters": artifact.digest})
    rows = [{"name": n, "value": v["value"], "origin": v["origin"]} for n, v in artifact.facts["values"].items()]
    return materialized(artifact, {"values": table(rows), "MLflow run": parent.link()})
