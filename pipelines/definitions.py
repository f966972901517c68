"""Everything Dagster loads."""

import dagster as dg

from assets.adapter import adapter
from assets.base_model import base_model
from assets.cleaned_splits import cleaned_splits
from assets.deployed_artifact import deployed_artifact
from assets.evaluation_report import evaluation_report
from assets.hyperparameters import hyperparameters
from assets.method_comparison import method_comparison
from assets.quantized_model import quantized_model
from assets.raw_data import raw_data
from assets.tuning_study import tuning_study
from pipelines.executor import executor
from pipelines.jobs import compare_methods, finetune, retune
from pipelines.new_data import new_data
from pipelines.notifying import notify
from pipelines.retuning import retune_on_shortfall
from pipelines.schedules import finetune_schedules
from pipelines.sensors import close_ended_runs
from resources.artifact_store import ArtifactStore
from resources.home import dagster_port, luthier_home, mlflow_port, recipes_folder
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking

home = str(luthier_home())
recipes = RecipeBook(folder=str(recipes_folder()))
tracking = Tracking(home=home, dagster_port=dagster_port(), mlflow_port=mlflow_port())

defs = dg.Definitions(
    assets=[
        raw_data,
        cleaned_splits,
        base_model,
        quantized_model,
        tuning_study,
        hyperparameters,
        adapter,
        evaluation_report,
        deployed_artifact,
        method_comparison,
    ],
    jobs=[finetune, retune, compare_methods],
    schedules=finetune_schedules(recipes),
    sensors=[close_ended_runs, retune_on_shortfall, new_data, notify],
    resources={
        "recipes": recipes,
        "artifacts": ArtifactStore(home=home),
        "tracking": tracking,
    },
    executor=executor,
)


def finetune_job() -> dg.JobDefinition:
    """The job ``finetune``, for a process that runs it by itself."""
    return defs.resolve_job_def("finetune")


def retune_job() -> dg.JobDefinition:
    """The job ``retune``, for a process that runs it by itself."""
    return defs.resolve_job_def("retune")


def compare_methods_job() -> dg.JobDefinition:
    """The job ``compare_methods``, for a process that runs it by itself."""
    return defs.resolve_job_def("compare_methods")
