"""base_model: an immutable local snapshot of the pretrained model."""

import dagster as dg

from assets.materialization import materialized, mistakes_explained
from assets.partitions import recipe_partitions
from luthier.recipe.schema import BaseModelSection
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.source_access import fetch_base_model, source_access


@dg.asset(partitions_def=recipe_partitions, io_manager_key="artifacts", group_name="finetuning", kinds={"huggingface"})
def base_model(
    context: dg.AssetExecutionContext, recipes: RecipeBook, artifacts: dg.ResourceParam[ArtifactStore]
) -> dg.MaterializeResult:
    """An immutable local snapshot of the pretrained model and its tokenizer: safetensors, digest, license."""
    with mistakes_explained():
        source = recipes.get(context.partition_key).recipe.base_model
        artifact = snapshot(source, recipes, artifacts)
    facts = artifact.facts
    return materialized(
        artifact,
        {
            "source": source.source,
            "family": facts["family"],
            "architecture": facts["architecture"],
            "parameters": facts["parameters"],
            "memory (MB)": round(facts["bytes"] / 1e6, 1),
            "layers": facts["layers"],
            "hidden size": facts["hidden_size"],
            "license": facts["provenance"].get("license", "not stated"),
            "provenance": dg.MetadataValue.json(facts["provenance"]),
        },
    )


def snapshot(source: BaseModelSection, recipes: RecipeBook, artifacts: ArtifactStore) -> Artifact:
    """The artifact of a pretrained model: found, or made from its source."""
    from luthier.models.snapshot import write_base_model

    fetched = fetch_base_model(source, source_access(recipes, artifacts))
    inputs = {"fingerprint": fetched.fingerprint}
    return artifacts.obtain("base_model", inputs, lambda folder: write_base_model(fetched, folder))
