"""quantized_model: the base at the precision the recipe trains at."""

from typing import Any

import dagster as dg

from assets.materialization import materialized, mistakes_explained
from assets.partitions import recipe_partitions
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook


@dg.asset(
    partitions_def=recipe_partitions,
    io_manager_key="artifacts",
    group_name="finetuning",
    kinds={"huggingface", "bitsandbytes"},
)
def quantized_model(
    context: dg.AssetExecutionContext,
    base_model: Artifact,
    recipes: RecipeBook,
    artifacts: dg.ResourceParam[ArtifactStore],
) -> dg.MaterializeResult:
    """The base at the precision the recipe trains at: 4-bit weights, or a pointer to the base (no copy)."""
    from luthier.models.quantization import point_at_base, write_quantized_model

    with mistakes_explained():
        quantization = recipes.get(context.partition_key).recipe.method.base_quantization
        if quantization is None:
            artifact = artifacts.obtain(
                "quantized_model",
                {"base_model": base_model.digest, "quantization": None},
                lambda folder: point_at_base(base_model.folder, folder),
            )
        else:
            artifact = artifacts.obtain(
                "quantized_model",
                {"base_model": base_model.digest, "quantization": quantization.model_dump(mode="json")},
                lambda folder: write_quantized_model(base_model.folder, quantization, folder),
            )
    return materialized(artifact, {"quantized": artifact.facts["quantized"], **measured(artifact.facts)})


def measured(facts: dict[str, Any]) -> dict[str, Any]:
    """Memory beside the base's and the errors, when there was something to quantize."""
    if not facts["quantized"]:
        return {}
    return {
        "type": facts["type"],
        "double quantization": facts["double_quantization"],
        "quantized layers": facts["layers"],
        "memory (MB)": round(facts["bytes"] / 1e6, 1),
        "memory of the base (MB)": round(facts["base_bytes"] / 1e6, 1),
        "memory share": round(facts["bytes"] / facts["base_bytes"], 3),
        "weight error (relative)": round(facts["weight_error"], 4),
        "worst weight error": round(facts["worst_weight_error"], 4),
        "worst layer": facts["worst_layer"],
        "hidden state error (relative)": round(facts["hidden_state_error"], 4),
    }


def training_model(base_model: Artifact, quantized_model: Artifact) -> Artifact:
    """The artifact that holds the weights a training starts from."""
    return quantized_model if quantized_model.facts["quantized"] else base_model
