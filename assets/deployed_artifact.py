"""deployed_artifact: the packaged, parity-checked, registered model."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from assets.incumbent import registered_champion
from assets.materialization import materialized, mistakes_explained
from assets.partitions import recipe_partitions
from assets.training_origin import head_of, origin_of, require_same
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import ADAPTER_TAG, DIGEST_TAG, REPORT_TAG, Tracking

if TYPE_CHECKING:
    from luthier.evaluation.promotion import Promotion
    from luthier.evaluation.report import EvaluationReport


@dg.asset(
    partitions_def=recipe_partitions,
    io_manager_key="artifacts",
    group_name="finetuning",
    kinds={"mlflow"},
    output_required=False,
)
def deployed_artifact(
    context: dg.AssetExecutionContext,
    adapter: Artifact,
    evaluation_report: Artifact,
    recipes: RecipeBook,
    artifacts: dg.ResourceParam[ArtifactStore],
    tracking: Tracking,
) -> Iterator[dg.MaterializeResult]:
    """The merged, packaged, parity-checked and registered model; made only when verdict and champion allow it."""
    from luthier.evaluation.report import read_report
    from luthier.packaging.deployment import Deployment, write_deployment
    from luthier.training.hyperparameters import read_hyperparameters
    from resources.package import load_package, save_package

    report = read_report(evaluation_report.folder)
    with mistakes_explained():
        resolved = recipes.get(context.partition_key)
        require_same("adapter", adapter, evaluation_report)
        decision = decided(report, adapter, resolved.model_name, artifacts, tracking)
    if not decision.allowed:
        skip(decision, context, tracking)
        return
    with mistakes_explained():
        origin = origin_of(adapter, artifacts)
        method, training, _ = read_hyperparameters(origin.hyperparameters.folder)
        # As it was evaluated, whatever the recipe says by now.
        evaluated = evaluation_report.manifest["inputs"]
        job = Deployment(
            recipe=resolved,
            task=evaluated["task"],
            method=method,
            head=head_of(evaluated["task"], origin.cleaned_splits, origin.base_model),
            max_length=training.max_length,
            max_new_tokens=evaluated["evaluation"]["max_new_tokens"],
            splits=origin.cleaned_splits.folder,
            base=origin.base_model.folder,
            model=origin.model.folder,
            tuned=adapter.folder,
            report=evaluation_report.folder,
        )
        inputs = {
            "adapter": adapter.digest,
            "evaluation_report": evaluation_report.digest,
            "targets": resolved.recipe.deploy.written,
        }

        def package(folder: Path) -> None:
            context.log.info("merging and packaging" if method.merges else "packaging the adapter beside its base")
            write_deployment(job, folder, save=save_package, load=load_package)

        artifact = artifacts.obtain("deployed_artifact", inputs, package, record={"dagster_run_id": context.run_id})
        version, reused = registered(artifact, report, decision, context, resolved.model_name, tracking)
    facts = artifact.facts
    yield materialized(
        artifact,
        {
            "model": resolved.model_name,
            "version": version,
            "version reused": reused,
            "alias": "champion",
            "promoted because": decision.reason,
            "merged": facts["merged"],
            "size (MB)": round(facts["bytes"] / 1e6, 1),
            "size on disk (MB)": round(facts["stored_bytes"] / 1e6, 1),
            "targets": dg.MetadataValue.json(facts["targets"]),
            "parity": dg.MetadataValue.json(facts["parity"]),
            "model card": dg.MetadataValue.md((artifact.folder / "README.md").read_text()),
            "package": dg.MetadataValue.path(artifact.folder / "package"),
        },
    )


def decided(
    report: "EvaluationReport", adapter: Artifact, model: str, artifacts: ArtifactStore, tracking: Tracking
) -> "Promotion":
    """Whether the adapter may become the champion of ``model``; a report that falls short needs no MLflow."""
    from luthier.evaluation.promotion import promotion

    champion = registered_champion(model, artifacts, tracking) if report.verdict == "met" else None
    return promotion(report, champion.incumbent if champion else None, adapter=adapter.digest)


def skip(decision: "Promotion", context: dg.AssetExecutionContext, tracking: Tracking) -> None:
    """Says why nothing is deployed, where people look."""
    context.log.warning(f"not deployed: {decision.reason}")
    skipped = {"skipped": decision.reason}
    context.log_event(dg.AssetObservation("deployed_artifact", partition=context.partition_key, metadata=skipped))
    with tracking.parent(context.run_id, context.partition_key) as parent:
        parent.set_tags({"luthier.not_deployed": decision.reason})


def lineage(
    artifact: Artifact, report: "EvaluationReport", decision: "Promotion", context: dg.AssetExecutionContext
) -> dict[str, str]:
    """What a registered version is made of, by the digest of each artifact; by which run, and why."""
    return {
        DIGEST_TAG: artifact.digest,
        ADAPTER_TAG: artifact.manifest["inputs"]["adapter"],
        REPORT_TAG: artifact.manifest["inputs"]["evaluation_report"],
        **{f"luthier.{name}": digest for name, digest in report.digests.items()},
        "luthier.recipe": context.partition_key,
        "luthier.dagster_run_id": context.run_id,
        "luthier.promoted_because": decision.reason,
    }


def registered(
    artifact: Artifact,
    report: "EvaluationReport",
    decision: "Promotion",
    context: dg.AssetExecutionContext,
    model: str,
    tracking: Tracking,
) -> tuple[str, bool]:
    """The registered version of this artifact, made unless it is there, as the champion; and whether it was there."""
    version = tracking.find_version(model, artifact.digest)
    reused = version is not None
    with tracking.parent(context.run_id, context.partition_key) as parent:
        if version is None:
            version = tracking.register_model(
                artifact.folder / "package",
                name=model,
                mlflow_run_id=parent.required_run_id(),
                tags=lineage(artifact, report, decision, context),
                metrics={"test_score": report.deciding.value},
            )
        tracking.set_champion(model, version)
        parent.set_tags({"luthier.model_version": f"{model} {version}", "luthier.deployed_artifact": artifact.digest})
        parent.log_artifact(artifact.folder / "README.md", "model_card")
    context.log.info(f"{model} version {version} is the champion{' (registered before)' if reused else ''}")
    return version, reused
