"""What the newest run of a recipe came to, as Dagster and the artifacts recorded it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from luthier.errors import LuthierError
from resources.artifact_store import Artifact, ArtifactStore, recorded_value

if TYPE_CHECKING:
    from luthier.comparison.comparison import MethodComparison
    from luthier.data_report.report import DataReport
    from luthier.evaluation.report import EvaluationReport
    from luthier.tuning.result import StudyResult


@dataclass(frozen=True)
class Result:
    """The newest evaluation of a recipe, and the model version made from it, if one was, with the alias it got."""

    report: "EvaluationReport"
    page: Path
    mlflow_run_id: str | None
    dagster_run_id: str
    model_version: str | None
    model_alias: str | None = None

    def as_json(self) -> dict[str, Any]:
        """What ``luthier report --json`` prints."""
        from luthier.evaluation.report import report_json

        return report_json(
            self.report,
            mlflow_run_id=self.mlflow_run_id,
            dagster_run_id=self.dagster_run_id,
            model_version=self.model_version,
        )

    def as_markdown(self) -> str:
        """What ``luthier report --markdown`` prints."""
        from luthier.evaluation.markdown import report_markdown

        return report_markdown(self.report)


def newest_result(recipe: str, instance: dg.DagsterInstance, artifacts: ArtifactStore) -> Result:
    """The newest evaluation that Dagster recorded for the recipe.

    Raises:
        LuthierError: there is none.
    """
    from luthier.evaluation.report import read_report

    run, artifact = newest_evaluation(recipe, instance, artifacts)
    version, alias = _version_made_from(artifact, instance, artifacts, recipe)
    return Result(
        report=read_report(artifact.folder),
        page=artifact.folder / "report.html",
        mlflow_run_id=artifact.manifest["mlflow_run_id"],
        dagster_run_id=run,
        model_version=version,
        model_alias=alias,
    )


def newest_evaluation(recipe: str, instance: dg.DagsterInstance, artifacts: ArtifactStore) -> tuple[str, Artifact]:
    """The Dagster run of the newest evaluation, and its report. Raises LuthierError: there is none."""
    evaluated = newest(instance, "evaluation_report", recipe)
    if evaluated is None:
        raise LuthierError("no evaluation yet", where=recipe, remedy=f"luthier run {recipe}")
    return evaluated.run_id, artifacts.open("evaluation_report", recorded_value(evaluated, "digest"))


def newest_data_report(recipe: str, instance: dg.DagsterInstance) -> tuple["DataReport", Path]:
    """What the newest ``cleaned_splits`` of the recipe holds, and its page. Raises LuthierError: there is none."""
    from luthier.data_report.report import read_data_report

    page = _newest_page(instance, "cleaned_splits", recipe, nothing="no splits yet", remedy=f"luthier data {recipe}")
    return read_data_report(page.parent), page


def newest_comparison(recipe: str, instance: dg.DagsterInstance) -> tuple["MethodComparison", Path]:
    """The newest comparison of the recipe's methods, and its page. Raises LuthierError: there is none."""
    from luthier.comparison.report import read_comparison

    page = _newest_page(
        instance, "method_comparison", recipe, nothing="no comparison yet", remedy=f"luthier compare {recipe}"
    )
    return read_comparison(page.parent), page


def newest_study(recipe: str, instance: dg.DagsterInstance) -> tuple["StudyResult", Path]:
    """The newest study of the recipe, and its page. Raises LuthierError: there is none."""
    from luthier.tuning.report import read_study

    page = _newest_page(instance, "tuning_study", recipe, nothing="no study yet", remedy=f"luthier tune {recipe}")
    return read_study(page.parent), page


def _newest_page(instance: dg.DagsterInstance, asset: str, recipe: str, *, nothing: str, remedy: str) -> Path:
    """The page that the newest materialization of a recipe's asset names."""
    made = newest(instance, asset, recipe)
    if made is None:
        raise LuthierError(nothing, where=recipe, remedy=remedy)
    return Path(recorded_value(made, "report"))


def _version_made_from(
    report: Artifact, instance: dg.DagsterInstance, artifacts: ArtifactStore, recipe: str
) -> tuple[str | None, str | None]:
    deployed = newest(instance, "deployed_artifact", recipe)
    if deployed is None:
        return None, None
    artifact = artifacts.open("deployed_artifact", recorded_value(deployed, "digest"))
    if artifact.manifest["inputs"]["evaluation_report"] != report.digest:
        return None, None
    return recorded_value(deployed, "version"), recorded_value(deployed, "alias")


def newest(instance: dg.DagsterInstance, asset: str, recipe: str) -> dg.EventLogRecord | None:
    """The newest materialization of a recipe's asset."""
    recorded = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[recipe])
    return next(iter(instance.fetch_materializations(recorded, limit=1).records), None)
