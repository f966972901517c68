"""deployed_artifact: the packaged, parity-checked, registered model."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.deployment_decision import decided, skip
from assets.deployment_package import package_of
from assets.materialization import materialized, mistakes_explained
from assets.partitions import recipe_partitions
from assets.registration import Registered, Registration, register
from assets.training_origin import require_same
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking


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
    from luthier.evaluation.report import read_report

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
        artifact = package_of(adapter, evaluation_report, report, resolved, context, artifacts)
        registration = Registration(artifact, report, decision, champion, resolved.model_name)
        registered = register(registration, context, tracking, by=by)
    yield materialized(artifact, described(registration, registered))


def described(given: Registration, registered: Registered) -> dict[str, Any]:
    """What was deployed, as a person wants to see it in the UI."""
    from luthier.packaging.parity import Parity

    artifact, decision, facts = given.artifact, given.decision, given.artifact.facts
    parities = [str(Parity(**parity)) for parity in facts["parity"]]
    return {
        "model": given.model,
        "version": registered.version,
        "version reused": registered.reused,
        "alias": decision.alias,
        "promoted because" if decision.alias == "champion" else "not promoted because": decision.reason,
        "merged": facts["merged"],
        "size (MB)": round(facts["bytes"] / 1e6, 1),
        "reference": facts["reference"],
        "size on disk (MB)": round(facts["stored_bytes"] / 1e6, 1),
        "targets": dg.MetadataValue.json(facts["targets"]),
        "parity": dg.MetadataValue.json([*parities, registered.proof]),
        "model card": dg.MetadataValue.md((artifact.folder / "README.md").read_text()),
        "package": dg.MetadataValue.path(artifact.folder / "package"),
    }
