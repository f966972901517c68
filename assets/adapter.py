"""adapter: the trained weights, the best checkpoint and not the last."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.champion import CONTINUED
from assets.materialization import materialized, mistakes_explained, picture
from assets.partitions import recipe_partitions
from assets.quantized_model import training_model
from assets.studies import study_behind
from assets.training_origin import head_of
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking

if TYPE_CHECKING:
    from luthier.training.finetuning import FineTuning
    from luthier.training.hyperparameters import Values

CHECKS = [
    dg.AssetCheckSpec(
        "settings_advised",
        asset="adapter",
        description="Nothing in the settings is known to be unwise for this model, data and machine.",
    ),
    dg.AssetCheckSpec("loss_is_finite", asset="adapter", blocking=True, description="No loss was NaN or infinite."),
    dg.AssetCheckSpec(
        "best_checkpoint_reloads",
        asset="adapter",
        blocking=True,
        description="The stored weights, loaded into a fresh model, score on validation what they scored in training.",
    ),
    dg.AssetCheckSpec(
        "healthy_training",
        asset="adapter",
        description="The training neither overfitted nor underfitted nor diverged.",
    ),
]

# Another version of these can give other bytes.
DECIDING_PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate")


def deciding_versions() -> dict[str, str]:
    """The versions of the packages that decide what a training comes to."""
    return {name: version(name) for name in DECIDING_PACKAGES}


@dg.asset(
    partitions_def=recipe_partitions,
    io_manager_key="artifacts",
    group_name="finetuning",
    kinds={"pytorch", "huggingface"},
    pool="training",
    check_specs=CHECKS,
    # Of a process that was killed: the training goes on from its last checkpoint. A person's mistake is not retried.
    retry_policy=dg.RetryPolicy(max_retries=1),
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
    from luthier.errors import ModelError, NonFiniteLossError, TrainingDivergedError
    from luthier.packaging.targets import require_targets
    from luthier.training.finetuning import finetune
    from luthier.training.hyperparameters import read_hyperparameters

    study = study_behind(hyperparameters, context.partition_key, context.instance)
    record: dict[str, str | None] = {"dagster_run_id": context.run_id, "tuning_study": study}
    try:
        with mistakes_explained():
            resolved = recipes.get(context.partition_key)
            values = read_hyperparameters(hyperparameters.folder)
            job = fine_tuning(resolved.recipe.task, values, cleaned_splits, base_model, quantized_model, artifacts)
            yield (advised := advice_result(job))
            if advised.severity == dg.AssetCheckSeverity.ERROR:
                raise ModelError(str(advised.description), where="the settings cannot work")
            # What a target cannot hold is no use to train.
            targets, family = resolved.recipe.deploy.beside_package, base_model.facts["family"]
            require_targets(targets, base_model.folder, family=family, head=job.head.kind)
            inputs = adapter_inputs(job, cleaned_splits, base_model, quantized_model, hyperparameters.digest)
            digest = artifacts.digest("adapter", inputs)

            def train(folder: Path) -> None:
                tags = {"luthier.digest": digest, "luthier.method": job.method.kind}
                with tracking.run(
                    asset="adapter", name="2 training", dagster_run_id=context.run_id, recipe=resolved.name, tags=tags
                ) as run:
                    run.log_params(resolved.flat())
                    for split in ("train", "validation"):
                        run.log_dataset(split, cleaned_splits.digest[:32], resolved.recipe.data.address, split)
                    facts = finetune(
                        job,
                        work=artifacts.work("adapter", digest),
                        output=folder,
                        on_metrics=lambda values, step: run.log_metrics(values, step=step),
                    )
                    run.log_metrics(measured(asdict(facts)))
                    run.set_tags({"luthier.diagnosis": facts.diagnosis["kind"]})
                    run.log_artifact(folder / "curves.png")
                    run.log_artifact(folder / "facts.json", "training")
                    record["mlflow_run_id"] = run.mlflow_run_id

            artifact = artifacts.obtain("adapter", inputs, train, record=record)
            artifacts.clear_work("adapter", digest)
    except dg.Failure as failure:
        cause = failure.__cause__
        if isinstance(cause, (NonFiniteLossError, TrainingDivergedError)):
            for check in ("loss_is_finite", "best_checkpoint_reloads", "healthy_training"):
                passed = check == "loss_is_finite" and isinstance(cause, TrainingDivergedError)
                yield dg.AssetCheckResult(check_name=check, passed=passed, metadata={"problem": str(cause)})
        raise
    checks = [loss_result(artifact), reload_result(artifact), health_result(artifact)]
    yield materialized(artifact, described(artifact, tracking), checks=checks)


def advice_result(job: "FineTuning") -> dg.AssetCheckResult:
    """What is to be said of the settings before anything trains, each with a remedy."""
    from luthier.training.advice import advice_on

    found = advice_on(job)
    impossible = any(each.severity == "error" for each in found)
    return dg.AssetCheckResult(
        check_name="settings_advised",
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR if impossible else dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{each.what} (remedy: {each.remedy})" for each in found) or "nothing to advise",
        metadata={each.name: f"{each.severity}: {each.what}; {each.remedy}" for each in found},
    )


def adapter_inputs(
    job: "FineTuning", cleaned_splits: Artifact, base_model: Artifact, quantized_model: Artifact, hyperparameters: str
) -> dict[str, Any]:
    """What decides a training's weights: its digest is the adapter's."""
    return {
        "task": job.task.name,
        "cleaned_splits": cleaned_splits.digest,
        "base_model": base_model.digest,
        "quantized_model": quantized_model.digest,
        "hyperparameters": hyperparameters,
        "compute": asdict(job.compute),
        "versions": deciding_versions(),
    }


def fine_tuning(
    task: str,
    values: "Values",
    cleaned_splits: Artifact,
    base_model: Artifact,
    quantized_model: Artifact,
    artifacts: ArtifactStore,
) -> "FineTuning":
    """What the artifacts say is to be trained; tokenizes the rows unless that was done before."""
    from luthier.tasks import TASKS
    from luthier.training.compute import choose_compute
    from luthier.training.finetuning import FineTuning
    from luthier.training.tokens import write_tokens

    method, training, metric = values
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
        continued=continued if (continued := base_model.folder / CONTINUED).is_dir() else None,
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
        "estimated memory (MB)": round(facts["estimate"]["memory_bytes"] / 1e6),
        "estimated over peak memory": round(facts["estimate"]["memory_bytes"] / facts["peak_memory"], 3),
        "estimated time (s)": round(facts["estimate"]["seconds"]),
        "estimated disk (MB)": round(facts["estimate"]["disk_bytes"] / 1e6),
        "estimated parts": dg.MetadataValue.json(facts["estimate"]["parts"]),
        "batch size": facts["batch_size"],
        "gradient accumulation": facts["gradient_accumulation"],
        "retries for want of memory": facts["out_of_memory_retries"],
        "loss spikes": facts["loss_spikes"],
        "diagnosis": f"{facts['diagnosis']['kind']}: {facts['diagnosis']['evidence']}",
        "optimizer": facts["optimizer"],
        "compute": dg.MetadataValue.json(facts["compute"]),
        "curves": picture((artifact.folder / "curves.png").read_bytes(), "loss and validation score by step"),
        "MLflow run": tracking.link_to(artifact.manifest["mlflow_run_id"]),
    }


def measured(facts: dict[str, Any]) -> dict[str, float]:
    """What a training used, beside what was expected."""
    return {
        "best_validation_score": facts["best_score"],
        "peak_memory": facts["peak_memory"],
        "seconds": facts["seconds"],
        **{f"estimated_{name}": facts["estimate"][name] for name in ("memory_bytes", "seconds", "disk_bytes")},
        "loss_spikes": facts["loss_spikes"],
        "out_of_memory_retries": facts["out_of_memory_retries"],
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


def health_result(artifact: Artifact) -> dg.AssetCheckResult:
    """Says what the history says of the training; a training that overfitted has still kept its best weights."""
    diagnosis = artifact.facts["diagnosis"]
    return dg.AssetCheckResult(
        check_name="healthy_training",
        passed=diagnosis["healthy"],
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{diagnosis['kind']}: {diagnosis['evidence']}",
        metadata=diagnosis,
    )
