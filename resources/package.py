"""The package: an MLflow model made from code, with its weights and Luthier's library beside it and no pickle."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import luthier

if TYPE_CHECKING:
    import pyarrow as pa

    from luthier.packaging.answers import Ask
    from luthier.packaging.serving import ServedModel, Serving
    from luthier.tasks.task import Inference, Predictions

REQUIREMENTS: Final = (
    "ftfy",
    "jinja2",
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "safetensors",
    "torch",
    "transformers",
)
# What MLflow calls Arrow's types.
TYPES: Final = {"string": "string", "double": "double", "int64": "long"}
CODE: Final = Path(__file__).with_name("scoring_model.py")


def save_package(model: Path, package: Path, serving: "Serving", rows: "pa.Table") -> None:
    """Writes an MLflow model folder: a copy of ``model``, the code that serves it, pinned requirements.

    ``rows`` are as the model was trained on: the package takes the columns that they have.
    """
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, Schema

    from luthier.packaging.serving import asked_columns

    columns = asked_columns(rows)
    # A conversation is all that a row needs, and so is a text that begins one.
    inputs = [ColSpec("string", name, required="messages" not in columns) for name in columns]
    outputs = [ColSpec(TYPES[str(field.type)], field.name) for field in serving.outputs]
    requirements = REQUIREMENTS if serving.method is None else (*REQUIREMENTS, "peft")
    mlflow.pyfunc.save_model(
        package,
        python_model=str(CODE),
        code_paths=[str(Path(luthier.__path__[0]))],
        artifacts={"model": str(model)},
        model_config=serving.as_config(),
        signature=ModelSignature(Schema(inputs), Schema(outputs), ParamSchema([])),
        input_example=rows.select(columns)[:2].to_pandas(),
        pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in sorted(requirements)],
    )


def load_package(package: Path) -> "Callable[[pa.Table, Inference], Predictions]":
    """The predictions of the package, as MLflow loads it, for rows of a split."""
    return load_served(package).predict


def ask_package(package: Path) -> "Ask":
    """The answers of the package, as MLflow loads it, to rows of the columns that it takes."""
    import mlflow

    answer = answering(mlflow.pyfunc.load_model(str(package)))
    return lambda rows: answer(rows).to_pylist()


def answering(model: Any) -> "Callable[[pa.Table], pa.Table]":
    """A function from the columns that a model which MLflow loaded takes to those of its answers.

    It raises DataError for rows that the model refuses.
    """
    import pyarrow as pa

    schema = answer_schema(model)
    return lambda rows: pa.Table.from_pandas(model.predict(rows.to_pandas()), schema=schema, preserve_index=False)


def answer_schema(model: Any) -> "pa.Schema":
    """The columns of a model's answers, by its signature."""
    import pyarrow as pa

    arrow = {mlflow_name: pa.type_for_alias(alias) for alias, mlflow_name in TYPES.items()}
    columns = model.metadata.get_output_schema().inputs
    return pa.schema([(column.name, arrow[column.type.name]) for column in columns])


def load_served(package: Path) -> "ServedModel":
    """What answers in the package, as MLflow loads it, and how it is asked."""
    import mlflow

    return mlflow.pyfunc.load_model(str(package)).unwrap_python_model().served
