"""adapter: the trained weights, the best checkpoint and not the last."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.materialization import materialized, mistakes_explained, picture
from assets.partitions import recipe_partitions
from assets.quantized_model import training_model
from assets.training_origin import head_of
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking

if TYPE_CHECKING:
    from luthier.training.finetuning import FineTuning

CHECKS = [
    dg.AssetCheckSpec("loss_is_finite", asset="adapter", blocking=True, description="No loss was NaN or infinite."),
    dg.AssetCheckSpec(
        "best_checkpoint_reloads",
        asset="adapter",
        blocking=True,
        description="The stored weights, loaded into a fresh model, score on validation what they scored in training.",
    ),
]

# Another version of these can give other bytes.
DECIDING_PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate")


@dg.asset(
    partitions_def=recipe_partitions,
    io_manager_key="artifacts",
    group_name="finetuning",
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
    from luthier.training.finetuning import finetune

    record: dict[str, str | None] = {"dagster_run_id": context.run_id}
    try:
        with mistakes_explained():
            resolved = recipes.get(context.partition_key)
            job = fine_tuning(
                resolved.recipe.task, cleaned_splits, base_model, quantized_model, hyperparameters, artifacts
            )
            inputs = {
                "cleaned_splits": cleaned_splits.digest,
                "base_model": base_model.digest,
                "quantized_model": quantized_model.digest,
                "hyperparameters": hyperparameters.digest,
                "compute": asdict(job.compute),
                "versions": {name: version(name) for name in DECIDING_PACKAGES},
            }
            digest = artifacts.digest("adapter", inputs)

            def train(folder: Path) -> None:
                tags = {"luthier.digest": digest, "luthier.method": job.method.kind}
                with tracking.run(
                    asset="adapter", name="training", dagster_run_id=context.run_id, recipe=resolved.name, tags=tags
                ) as run:
                    run.log_params(resolved.flat())
                    for split in ("train", "validation"):
                        run.log_dataset(split, cleaned_splits.digest[:32], resolved.recipe.data.address, split)
                    finetune(
                        job,
                        work=artifacts.work("adapter", digest),
                        output=folder,
                        on_metrics=lambda values, step: run.log_metrics(values, step=step),
                    )
                    run.log_artifact(folder / "curves.png")
                    run.log_artifact(folder / "facts.json", "training")
                    record["mlflow_run_id"] = run.mlflow_run_id

            artifact = artifacts.obtain("adapter", inputs, train, record=record)
            artifacts.clear_work("adapter", digest)
    except dg.Failure as failure:
        if isinstance(failure.__cause__, NonFiniteLossError):
            problem = {"problem": str(failure.__cause__)}
            yield dg.AssetCheckResult(check_name="loss_is_finite", passed=False, metadata=problem)
            yield dg.AssetCheckResult(check_name="best_checkpoint_reloads", passed=False, metadata=problem)
        raise
    yield materialized(artifact, described(artifact, tracking), checks=[loss_result(artifact), reload_result(artifact)])


def fine_tuning(
    task: str,
    cleaned_splits: Artifact,
    base_model: Artifact,
    quantized_model: Artifact,
    hyperparameters: Artifact,
    artifacts: ArtifactStore,
) -> "FineTuning":
    """What the artifacts say is to be trained; tokenizes the rows unless that was done before."""
    from luthier.tasks import TASKS
    from luthier.training.compute import choose_compute
    from luthier.training.finetuning import FineTuning
    from luthier.training.hyperparameters import read_hyperparameters
    from luthier.training.tokens import write_tokens

    method, training, metric = read_hyperparameters(hyperparameters.folder)
    head, most = head_of(task, cleaned_splits, base_model), training.max_length
    tokens = artifacts.obtain(
        "tokens",
        {"cleaned_splits": cleaned_splits.digest, "base_model": base_model.digest, "task": task, "length": most},
        lambda folder: write_tokens(
            cleaned_splits.folder, base_model.folder, TASKS[task], head, max_length=most, folder=folder
        ),
    )
    labels, weights = cleaned_splits.facts["labels"], cleaned_splits.facts["class_weights"]
    return FineTuning(
        task=TASKS[task],
        head=head,
        class_weights=tuple(weights[label] for label in labels) if weights else None,
        metric=metric,
        method=method,
        training=training,
        compute=choose_compute(training, method),
        model=training_model(base_model, quantized_model).folder,
        tokens=tokens.folder,
    )


def described(artifact: Artifact, tracking: Tracking) -> dict[str, Any]:
    """What a person wants to see of a training."""
    facts = artifact.facts
    return {
        "best validation score": round(facts["best_score"], 4),
        "best step": facts["best_step"],
        "steps": facts["steps"],
        "stopped early": facts["stopped_early"],
        "resumed from step": facts["resumed_from_step"],
        "parameters": facts["parameters"],
        "trainable parameters": facts["trainable_parameters"],
        "trainable share": round(facts["trainable_parameters"] / facts["parameters"], 5),
        "rows per second": round(facts["rows_per_second"], 1),
        "training time (s)": round(facts["training_seconds"], 1),
        "peak memory (MB)": round(facts["peak_memory"] / 1e6),
        "optimizer": facts["optimizer"],
        "compute": dg.MetadataValue.json(facts["compute"]),
        "curves": picture((artifact.folder / "curves.png").read_bytes(), "loss and validation score by step"),
        "MLflow run": tracking.link_to(artifact.manifest["mlflow_run_id"]),
    }


def loss_result(artifact: Artifact) -> dg.AssetCheckResult:
    """Fails when a loss of the training's history was NaN or infinite."""
    history = json.loads((artifact.folder / "history.json").read_text())
    losses = [entry[name] for entry in history for name in ("loss", "eval_loss") if name in entry]
    passed = bool(losses) and all(math.isfinite(loss) for loss in losses)
    return dg.AssetCheckResult(check_name="loss_is_finite", passed=passed, metadata={"losses": len(losses)})


def reload_result(artifact: Artifact) -> dg.AssetCheckResult:
    """Fails when the stored weights score something else than they did in training."""
    best, again = artifact.facts["best_score"], artifact.facts["rescored"]
    metadata = {"in training": best, "from disk": again}
    return dg.AssetCheckResult(check_name="best_checkpoint_reloads", passed=best == again, metadata=metadata)
