"""What the newest report hands on to the next round of tuning: findings without a test row."""

import dagster as dg

from assets.loop_history import DATA
from resources.artifact_store import Artifact, ArtifactStore, recorded_value

# Reports that are looked through.
MOST = 20


def report_findings(
    instance: dg.DagsterInstance, recipe: str, cleaned_splits: Artifact, artifacts: ArtifactStore
) -> dict[str, str]:
    """The evidence by kind of the newest report on these splits; nothing where there is none."""
    from luthier.evaluation.diagnosis.handing_on import read_for_tuning

    recorded = dg.AssetRecordsFilter(asset_key=dg.AssetKey("evaluation_report"), asset_partitions=[recipe])
    for record in instance.fetch_materializations(recorded, limit=MOST).records:
        materialization = record.asset_materialization
        assert materialization is not None
        data = materialization.metadata.get(DATA)
        if data is not None and data.value == cleaned_splits.digest:
            report = artifacts.open("evaluation_report", recorded_value(record, "digest"))
            return read_for_tuning(report.folder)
    return {}
