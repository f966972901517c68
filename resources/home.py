"""Where everything lies: the project, its recipes, and LUTHIER_HOME, which holds all state."""

import os
import shutil
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def luthier_home() -> Path:
    """``LUTHIER_HOME``, or ``.luthier`` in the project."""
    return Path(os.environ.get("LUTHIER_HOME") or PROJECT / ".luthier").resolve()


def recipes_folder() -> Path:
    """``LUTHIER_RECIPES``, or ``recipes`` in the project."""
    return Path(os.environ.get("LUTHIER_RECIPES") or PROJECT / "recipes").resolve()


def data_roots() -> tuple[Path, ...]:
    """``LUTHIER_DATA_ROOTS``: folders, besides the project, that file sources may read."""
    given = os.environ.get("LUTHIER_DATA_ROOTS", "")
    return tuple(Path(part).expanduser() for part in given.split(os.pathsep) if part)


def dagster_port() -> int:
    """Where the Dagster page is served."""
    return int(os.environ.get("LUTHIER_DAGSTER_PORT", "3000"))


def mlflow_port() -> int:
    """Where the MLflow page is served."""
    return int(os.environ.get("LUTHIER_MLFLOW_PORT", "5000"))


def sensor_seconds() -> int:
    """``LUTHIER_SENSOR_SECONDS``: how long sensors wait, at least, before they look again."""
    return int(os.environ.get("LUTHIER_SENSOR_SECONDS", "10"))


def prepare_home() -> Path:
    """Creates the home with its Dagster instance folder, and points this process and its children at it.

    Telemetry of Dagster, MLflow and Hugging Face is off.
    """
    home = luthier_home()
    dagster_home = home / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT / "dagster.yaml", dagster_home / "dagster.yaml")
    os.environ |= {
        "LUTHIER_HOME": str(home),
        "LUTHIER_RECIPES": str(recipes_folder()),
        "DAGSTER_HOME": str(dagster_home),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    return home


def yield_shared_cores() -> None:
    """Lets the threads of this process's children sleep at barriers instead of spinning.

    Alone on its cores a training loses a quarter of its speed by that; beside one busy process one that spins loses
    four fifths.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
