"""The studies of a recipe: which belong together, and what they found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from luthier.digest import digest_of
from luthier.recipe.resolving import ResolvedRecipe
from resources.artifact_store import Artifact, ArtifactStore, recorded_value

if TYPE_CHECKING:
    from luthier.tuning.result import StudyResult

# Rounds that are looked through; a recipe may have no more of them for the same data.
MOST = 200
# In the metadata of hyperparameters: the digest of the study that found them.
STUDY = "tuning_study"
ROUND_TAG, DATA_TAG, REPORT_TAG = "luthier/round", "luthier/data", "luthier/report"


@dataclass(frozen=True)
class FinishedStudy:
    """A study that has ended, and the artifact that holds it."""

    artifact: Artifact
    result: "StudyResult"

    @property
    def best(self) -> Mapping[str, Any]:
        """The values of its best trial."""
        return self.result.best.values

    @property
    def origin(self) -> str:
        """How values are said to come from it."""
        return f"study {self.result.study}, round {self.result.round}, trial {self.result.best.number}"


def setting_of(resolved: ResolvedRecipe, cleaned_splits: Artifact, base_model: Artifact) -> str:
    """The digest of what studies are of: data, base, and all values of the recipe that decide a training.

    One who changes a value that was searched asks for that value, so that studies from before have no say.
    """
    from luthier.training.hyperparameters import training_values

    return digest_of(
        {
            "task": resolved.recipe.task,
            "cleaned_splits": cleaned_splits.digest,
            "base_model": base_model.digest,
            "values": training_values(resolved),
        }
    )


def finished_studies(
    instance: dg.DagsterInstance, recipe: str, setting: str, artifacts: ArtifactStore
) -> list[FinishedStudy]:
    """The studies of a setting that Dagster recorded for the recipe, by round."""
    from luthier.tuning.report import read_study

    recorded = dg.AssetRecordsFilter(asset_key=dg.AssetKey("tuning_study"), asset_partitions=[recipe])
    found: dict[int, FinishedStudy] = {}
    for record in instance.fetch_materializations(recorded, limit=MOST).records:
        if recorded_value(record, "setting") == setting:
            artifact = artifacts.open("tuning_study", recorded_value(record, "digest"))
            result = read_study(artifact.folder)
            found.setdefault(result.round, FinishedStudy(artifact, result))
    return [found[number] for number in sorted(found)]


def study_behind(hyperparameters: Artifact, recipe: str, instance: dg.DagsterInstance) -> str | None:
    """The digest of the study that found a recipe's values, as Dagster recorded it when they were materialized.

    The artifact does not say: it is the same wherever the same values came from.
    """
    recorded = dg.AssetRecordsFilter(asset_key=dg.AssetKey("hyperparameters"), asset_partitions=[recipe])
    for record in instance.fetch_materializations(recorded, limit=MOST).records:
        if recorded_value(record, "digest") == hyperparameters.digest:
            materialization = record.asset_materialization
            assert materialization is not None
            found = materialization.metadata.get(STUDY)
            return None if found is None else str(found.value)
    return None


def round_of(context: dg.AssetExecutionContext) -> int | None:
    """The round that this run is, if it is one: as it was launched, or as ``tuning_study`` found."""
    run = context.instance.get_run_by_id(context.run_id)
    tagged = run.tags.get(ROUND_TAG) if run else None
    return int(tagged) if tagged else None
