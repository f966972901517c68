"""The package: an MLflow model made from code, with its weights beside it and no pickle."""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

REQUIREMENTS = ("mlflow", "torch", "transformers", "safetensors", "pandas", "numpy")
CODE = Path(__file__).with_name("scoring_model.py")


def save_package(merged: Path, package: Path, example: Sequence[str], max_length: int) -> None:
    """Writes an MLflow model folder: a copy of the merged model, the code that serves it, pinned requirements."""
    import mlflow
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, Schema

    inputs = Schema([ColSpec(DataType.string, "text")])
    outputs = Schema([ColSpec(DataType.string, "label"), ColSpec(DataType.double, "probability")])
    mlflow.pyfunc.save_model(
        package,
        python_model=str(CODE),
        artifacts={"model": str(merged)},
        model_config={"max_length": max_length, "batch_size": 32},
        signature=ModelSignature(inputs, outputs, ParamSchema([])),
        input_example=pd.DataFrame({"text": list(example)}),
        pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in REQUIREMENTS],
    )


def load_package(package: Path) -> "Callable[[Sequence[str]], np.ndarray]":
    """A function from texts to probabilities (rows x classes), by the package as MLflow loads it."""
    import mlflow

    model = mlflow.pyfunc.load_model(str(package)).unwrap_python_model()
    return model.probabilities
