"""The package of a trained adapter, and its other targets: made and proved once for what determines them."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from assets.training_origin import head_of, origin_of
from luthier.recipe.resolving import ResolvedRecipe
from resources.artifact_store import Artifact, ArtifactStore

if TYPE_CHECKING:
    from luthier.evaluation.report import EvaluationReport
    from luthier.packaging.deployment import Deployment

# What is proved while the package is made; one that was made with less proof is made again.
PROOFS = ["merged", "packaged", "packaged against merged", "served"]


def package_of(
    adapter: Artifact,
    evaluated: Artifact,
    report: "EvaluationReport",
    resolved: ResolvedRecipe,
    context: dg.AssetExecutionContext,
    artifacts: ArtifactStore,
) -> Artifact:
    """The artifact for an adapter and its evaluation: found, or made."""
    from luthier.packaging.deployment import write_deployment
    from resources.package import load_package, save_package
    from resources.scoring_server import prepare_server, serve_package

    job = deployment_of(adapter, evaluated, report, resolved, artifacts)
    inputs = {
        "adapter": adapter.digest,
        "evaluation_report": evaluated.digest,
        "proofs": PROOFS,
        "targets": resolved.recipe.deploy.written,
    }

    def package(folder: Path) -> None:
        context.log.info("merging and packaging" if job.method.merges else "packaging the adapter beside its base")
        prepare_server()
        write_deployment(job, folder, save=save_package, load=load_package, serve=serve_package)

    return artifacts.obtain("deployed_artifact", inputs, package, record={"dagster_run_id": context.run_id})


def deployment_of(
    adapter: Artifact,
    evaluated: Artifact,
    report: "EvaluationReport",
    resolved: ResolvedRecipe,
    artifacts: ArtifactStore,
) -> "Deployment":
    """What is packaged: the adapter as it was evaluated, whatever the recipe says by now."""
    from luthier.data.input_cleaning import InputCleaning
    from luthier.packaging.deployment import Deployment
    from luthier.training.hyperparameters import read_hyperparameters

    origin, how = origin_of(adapter, artifacts), evaluated.manifest["inputs"]
    method, training, _ = read_hyperparameters(origin.hyperparameters.folder)
    return Deployment(
        recipe=replace(resolved, recipe=resolved.recipe.model_copy(update={"method": method, "training": training})),
        task=how["task"],
        method=method,
        head=head_of(how["task"], origin.cleaned_splits, origin.base_model),
        max_length=training.max_length,
        max_new_tokens=how["evaluation"]["max_new_tokens"],
        splits=origin.cleaned_splits.folder,
        base=origin.base_model.folder,
        model=origin.model.folder,
        tuned=adapter.folder,
        report=report,
        cleaning=InputCleaning.of_splits(origin.cleaned_splits.manifest["inputs"]["data"]),
    )
