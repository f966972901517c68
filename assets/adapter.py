"""adapter: the trained weights, best checkpoint and not the last."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import dagster as dg

from assets.materialization import materialized, mistakes_explained, picture, table
from assets.partitions import recipe_partitions
from assets.quantized_model import training_model
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking

CHECKS = [
    dg.AssetCheckSpec("loss_is_finite", asset="adapter", blocking=True, description="No loss was NaN or infinite."),
    dg.AssetCheckSpec(
        "best_checkpoint_reloads",
        asset="adapter",
        blocking=True,
        description="The stored weights, loaded into a fresh model, score on validation what they scored in training.",
    ),
]

# A change of these can change the trained bytes.
DECIDING_VERSIONS = ("torch", "transformers", "peft", "bitsandbytes", "accelerate")


@dg.asset(
    partitions_def=recipe_partitions,
    io_manager_key="artifacts",
    group_name="training",
    kinds={"pytorch", "huggingface"},
    check_specs=CHECKS,
)
def adapter(
    context: dg.AssetExecutionContext,
    cleaned_splits: Artifact,
    base_model: Artifact,
    quantized_model: Artifact,
    hyperparameters: Artifact,
    recipes: RecipeBook,
    artifacts: dg.ResourceParam[ArtifactStore],
    tracking: Tracking,
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """The trained weights, an adapter or all weights of full fine-tuning: the best checkpoint, not the last."""
    from luthier.errors import NonFiniteLossError
    from luthier.tasks import TASKS
    from luthier.training.compute import choose_compute
    from luthier.training.finetuning import FineTuning, finetune
    from luthier.training.hyperparameters import read_hyperparameters
    from luthier.training.tokens import obtain_tokens

    model = training_model(base_model, quantized_model)
    task = TASKS[recipes.get(context.partition_key).recipe.task]
    method, training, metric = read_hyperparameters(hyperparameters.folder)
