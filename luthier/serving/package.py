"""A package's own description: how its model is asked, and which columns it reads."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from luthier.errors import LuthierError

if TYPE_CHECKING:
    from luthier.packaging.serving import ServedModel, Serving


@dataclass(frozen=True)
class Package:
    """An MLflow model folder: ``model`` has the files that answer, by the code of the Luthier that is installed."""

    model: Path
    config: dict[str, Any]
    inputs: tuple[str, ...]
    required: tuple[str, ...]

    @property
    def task(self) -> str:
        return self.config["task"]

    @property
    def is_chat(self) -> bool:
        return self.task == "text-generation"

    @property
    def serving(self) -> "Serving":
        from luthier.packaging.serving import Serving

        return Serving.from_config(self.config)

    def load(self) -> "ServedModel":
        from luthier.packaging.serving import ServedModel

        return ServedModel(self.model, self.serving)


def read_package(folder: Path) -> Package:
    """Reads the ``MLmodel`` file.

    Raises:
        LuthierError: the folder is no package of Luthier's.
    """
    try:
        described = yaml.safe_load((folder / "MLmodel").read_text())
        function = described["flavors"]["python_function"]
        columns = json.loads(described["signature"]["inputs"])
        path, config = function["artifacts"]["model"]["path"], function["config"]
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise LuthierError(
            "no package of Luthier's",
            where=str(folder),
            received=repr(error),
            remedy="serve a version that it deployed",
        ) from error
    return Package(
        folder / path,
        config,
        inputs=tuple(column["name"] for column in columns),
        required=tuple(column["name"] for column in columns if column.get("required", True)),
    )
