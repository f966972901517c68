"""deployed_artifact: the packaged, parity-checked, registered model."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from assets.incumbent import RegisteredChampion, registered_champion
from assets.materialization import materialized, mistakes_explained
from assets.partitions import recipe_partitions
from assets.registration import Registration, parity_lines, register, withdrawn
from assets.training_origin import head_of, origin_of, require_same
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import PROOF_TAG, Tracking

if TYPE_CHECKING:
    from luthier.evaluation.promotion import Promotion
    from luthier.evaluation.report import EvaluationReport

# What is proved while the package is made; one that was made with less proof is made again.
PROOFS = ["merged", "packaged", "served"]


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
    """The merged, packaged, proved and registered model: champion or challenger; made when its target is met."""
    from luthier.data.input_cleaning import InputCleaning
    from luthier.evaluation.report import read_report
    from luthier.packaging.deployment import Deployment, write_deployment
    from luthier.training.hyperparameters import read_hyperparameters
    from resources.package import load_package, save_package
    from resources.scoring_server import prepare_server, serve_package

    report = read_report(evaluation_report.folder)
    with mistakes_explained():
        resolved = recipes.get(context.partition_key)
        require_same("adapter", adapter, evaluation_report)
        by = f"Dagster run {context.run_id}"
        decision, champion = decided(report, adapter, resolved.model_name, artifacts, tracking, by=by)
    if decision.alias is None:
        skip(decision, context, tracking)
        return
    with mistakes_explained():
        origin = origin_of(adapter, artifacts)
        method, training, _ = read_hyperparameters(origin.hyperparameters.folder)
        # As it was evaluated, whatever the recipe says by now.
        evaluated = evaluation_report.manifest["inputs"]
        job = Deployment(
            recipe=replace(
                resolved, recipe=resolved.recipe.model_copy(update={"method": method, "training": training})
            ),
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
            cleaning=InputCleaning.of_splits(origin.cleaned_splits.manifest["inputs"]["data"]),
        )
        inputs = {
            "adapter": adapter.digest,
            "evaluation_report": evaluation_report.digest,
            "proofs": PROOFS,
            "targets": resolved.recipe.deploy.written,
        }

        def package(folder: Path) -> None:
            context.log.info("merging and packaging" if method.merges else "packaging the adapter beside its base")
            prepare_server()
            write_deployment(job, folder, save=save_package, load=load_package, serve=serve_package)

        artifact = artifacts.obtain("deployed_artifact", inputs, package, record={"dagster_run_id": context.run_id})
        registration = Registration(artifact, report, decision, champion, resolved.model_name)
        version, reused = register(registration, context, tracking, by=by)
        proof = tracking.version_tags(resolved.model_name, version)[PROOF_TAG]
    facts = artifact.facts
    yield materialized(
        artifact,
        {
            "model": resolved.model_name,
            "version": version,
            "version reused": reused,
            "alias": decision.alias,
            "promoted because" if decision.alias == "champion" else "not promoted because": decision.reason,
            "merged": facts["merged"],
            "size (MB)": round(facts["bytes"] / 1e6, 1),
            "reference": facts["reference"],
            "size on disk (MB)": round(facts["stored_bytes"] / 1e6, 1),
            "targets": dg.MetadataValue.json(facts["targets"]),
            "parity": dg.MetadataValue.json(parity_lines(facts, proof)),
            "model card": dg.MetadataValue.md((artifact.folder / "README.md").read_text()),
            "package": dg.MetadataValue.path(artifact.folder / "package"),
        },
    )


def decided(
    report: "EvaluationReport",
    adapter: Artifact,
    model: str,
    artifacts: ArtifactStore,
    tracking: Tracking,
    *,
    by: str,
) -> tuple["Promotion", RegisteredChampion | None]:
    """What the adapter becomes, beside which champion of ``model``; a report that falls short needs no MLflow."""
    from luthier.evaluation.promotion import promotion

    if report.verdict != "met":
        return promotion(report, None, adapter=adapter.digest), None
    # Whoever moved the alias in MLflow has decided something, too.
    tracking.aliases(model).settle(by)
    champion = registered_champion(model, artifacts, tracking)
    incumbent = champion.incumbent if champion else None
    went = withdrawn(model, adapter.digest, tracking)
    return promotion(report, incumbent, adapter=adapter.digest, withdrawn=went), champion


def skip(decision: "Promotion", context: dg.AssetExecutionContext, tracking: Tracking) -> None:
    """Says why nothing is deployed, where people look."""
    context.log.warning(f"not deployed: {decision.reason}")
    skipped = {"skipped": decision.reason}
    context.log_event(dg.AssetObservation("deployed_artifact", partition=context.partition_key, metadata=skipped))
    with tracking.parent(context.run_id, context.partition_key) as parent:
        parent.set_tags({"luthier.not_deployed": decision.reason})
