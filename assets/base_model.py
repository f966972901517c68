"""base_model: an immutable local snapshot of the pretrained model."""

import dagster as dg

from assets.champion import champion_of
from assets.materialization import materialized, mistakes_explained
from assets.partitions import recipe_partitions
from luthier.recipe.schema import BaseModelSection
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.source_access import fetch_base_model, source_access
from resources.tracking import Tracking


@dg.asset(partitions_def=recipe_partitions, io_manager_key="artifacts", group_name="finetuning", kinds={"huggingface"})
def base_model(
    context: dg.AssetExecutionContext,
    recipes: RecipeBook,
    artifacts: dg.ResourceParam[ArtifactStore],
    tracking: Tracking,
) -> dg.MaterializeResult:
    """An immutable local snapshot of the pretrained model and its tokenizer: safetensors, digest, license."""
    with mistakes_explained():
        source = recipes.get(context.partition_key).recipe.base_model
        champion = champion_of(source.adapter_of, recipes, artifacts, tracking) if source.adapter_of else None
        artifact = champion.snapshot(source.continued, artifacts) if champion else snapshot(source, recipes, artifacts)
    if champion:
        with tracking.parent(context.run_id, context.partition_key) as parent:
            parent.set_tags({"luthier.adapter_of": champion.recipe})
            # Apart from the run's own digests, which have the same names.
            parent.set_tags({f"luthier.from.{name}": value for name, value in champion.lineage.items()})
    facts = artifact.facts
    return materialized(
        artifact,
        {
            "source": source.address,
            "family": facts["family"],
            "architecture": facts["architecture"],
            "parameters": facts["parameters"],
            "memory (MB)": round(facts["bytes"] / 1e6, 1),
            "layers": facts["layers"],
            "hidden size": facts["hidden_size"],
            "license": facts["provenance"].get("license", "not stated"),
            "provenance": dg.MetadataValue.json(facts["provenance"]),
            **({"lineage": dg.MetadataValue.json(champion.lineage)} if champion else {}),
        },
    )


def snapshot(source: BaseModelSection, recipes: RecipeBook, artifacts: ArtifactStore) -> Artifact:
    """The artifact of a pretrained model: found, or made from its source."""
    from luthier.models.snapshot import write_base_model

    fetched = fetch_base_model(source, source_access(recipes, artifacts))
    inputs = {"fingerprint": fetched.fingerprint}
    return artifacts.obtain("base_model", inputs, lambda folder: write_base_model(fetched, folder))
