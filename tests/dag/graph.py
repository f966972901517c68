"""The shipped assets run in a test, and what came of it."""

from pathlib import Path

import dagster as dg

from pipelines.definitions import defs
from pipelines.jobs import FINETUNED
from resources.artifact_store import ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking


def up_to(asset: str) -> dg.AssetSelection:
    """An asset and all it is made of, without a round of tuning."""
    return FINETUNED & dg.AssetSelection.assets(asset).upstream()


class Graph:
    """The shipped assets over the recipes of one project folder."""

    def __init__(self, project: Path, instance: dg.DagsterInstance) -> None:
        self.project, self.instance = project, instance
        self.artifacts = ArtifactStore(home=str(project / "home"))
        self.tracking = Tracking(home=str(project / "home"))

    def run(
        self,
        *overrides: str,
        recipe: str = "tiny",
        select: str | dg.AssetSelection = FINETUNED,
        tags: dict[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        book = RecipeBook(folder=str(self.project / "recipes"), overrides=list(overrides))
        result = dg.materialize(
            list(defs.assets or []),
            partition_key=recipe,
            selection=select,
            instance=self.instance,
            resources={"recipes": book, "artifacts": self.artifacts, "tracking": self.tracking},
            raise_on_error=False,
            tags=tags,
        )
        self.tracking.reconcile(self.instance)
        return result

    def mlflow_runs(self, result: dg.ExecuteInProcessResult) -> list:
        client = self.tracking.store.client
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return client.search_runs(experiments, f"tags.`luthier.dagster_run_id` = '{result.run_id}'")


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict:
    (materialization,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in materialization.metadata.items()}


def remade(result: dg.ExecuteInProcessResult) -> set[str]:
    made = {m.asset_key.to_user_string(): m.metadata["reused"].value for m in materializations(result)}
    return {asset for asset, reused in made.items() if not reused}


def materializations(result: dg.ExecuteInProcessResult) -> list[dg.AssetMaterialization]:
    return [e.step_materialization_data.materialization for e in result.all_events if e.is_step_materialization]


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    return next(e.step_failure_data.user_failure_data.description for e in result.all_events if e.is_step_failure)
