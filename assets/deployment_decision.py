"""Whether a model is deployed, and as what."""

from typing import TYPE_CHECKING

import dagster as dg

from assets.incumbent import RegisteredChampion, registered_champion
from resources.artifact_store import Artifact, ArtifactStore
from resources.champion_history import withdrawal
from resources.tracking import ADAPTER_TAG, Tracking

if TYPE_CHECKING:
    from luthier.evaluation.promotion import Promotion
    from luthier.evaluation.report import EvaluationReport


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


def withdrawn(model: str, adapter: str, tracking: Tracking) -> str | None:
    """Why somebody took the champion's place from a version of this adapter, unless it has been champion since."""
    history = tracking.aliases(model).history()
    for found in tracking.registry.versions(model):
        change = withdrawal(history, found.version) if found.tags.get(ADAPTER_TAG) == adapter else None
        if change:
            return (
                f"Version {found.version}, this very model, was rolled back from on {change.time[:10]} "
                f"({change.reason}); `luthier promote` brings it back."
            )
    return None


def skip(decision: "Promotion", context: dg.AssetExecutionContext, tracking: Tracking) -> None:
    """Says why nothing is deployed, where people look."""
    context.log.warning(f"not deployed: {decision.reason}")
    skipped = {"skipped": decision.reason}
    context.log_event(dg.AssetObservation("deployed_artifact", partition=context.partition_key, metadata=skipped))
    with tracking.parent(context.run_id, context.partition_key) as parent:
        parent.set_tags({"luthier.not_deployed": decision.reason})
