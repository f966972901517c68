"""base_model: an immutable local snapshot of the pretrained model."""

import dagster as dg

from assets.materialization import materialized, mistakes_explained
from assets.partitions import recipe_partitions
from resources.artifact_store import ArtifactStore
from resources.recipe_book import RecipeBook


@dg.asset(partitions_def=recipe_partitions, io_manager_key="artifacts", group_name="finetuning", kinds={"huggingface"})
def base_model(
    context: dg.AssetExecutionContext, recipes: RecipeBook, artifacts: dg.ResourceParam[ArtifactStore]
) -> dg.MaterializeResult:
    """An immutable local snapshot of the pretrained model and its tokenizer: safetensors, digest, license."""
    from luthier.models.snapshot import write_base_model
    from luthier.sources import fetch

    with mistakes_explained():
        source = recipes.get(context.partition_key).recipe.base_model
        fetched = fetch(source.source, downloads=artifacts.downloads, root=recipes.root, sha256=source.sha256)
        artifact = artifacts.obtain(
            "base_model",
            {"fingerprint": fetched.fingerprint},
            lambda folder: write_base_model(fetched, folder),
        )
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
