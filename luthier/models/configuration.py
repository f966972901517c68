"""A model folder's configuration, read as data: nothing that it names is fetched or run."""

import json
import re
from pathlib import Path
from typing import Any

import transformers
from huggingface_hub.errors import StrictDataclassError

from luthier.errors import ModelError

CONFIG = "config.json"
# What transformers would import, or fetch from a hub: code beside the model, kernels of attention and of experts.
CODE = re.compile(r"auto_map|custom_pipelines|_?(attn|experts)_implementation(_internal)?")


def read_config(folder: Path) -> Any:
    """The configuration of a model folder, as transformers has it.

    Raises:
        ModelError: it cannot be read, or is of no model that transformers has.
    """
    values, where = configuration(folder), str(folder / CONFIG)
    family = values.get("model_type")
    if family not in transformers.CONFIG_MAPPING:
        raise ModelError(
            "transformers has no such model family, and a model's own code is never run",
            where=where,
            received=family,
            remedy="choose a base model of a family that docs/support.md lists",
        )
    try:
        return transformers.CONFIG_MAPPING[family].from_dict(values)
    except (ValueError, TypeError, AttributeError, StrictDataclassError) as error:
        raise ModelError(
            "the model's configuration cannot be read",
            where=where,
            received=" ".join(str(error).split())[:200],
            remedy="take the model folder as its authors publish it",
        ) from error


def configuration(folder: Path) -> dict[str, Any]:
    """What ``config.json`` says, without what it says of code. Raises ModelError: it is no JSON object."""
    return _without_code(read_object(folder / CONFIG))


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises ModelError: there is none."""
    remedy = "fetch the model again"
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ModelError("not JSON", where=str(path), received=str(error), remedy=remedy) from error
    if not isinstance(found, dict):
        raise ModelError("not a JSON object", where=str(path), received=found, remedy=remedy)
    return found


def _without_code(values: Any) -> Any:
    if isinstance(values, list):
        return [_without_code(item) for item in values]
    if not isinstance(values, dict):
        return values
    return {name: _without_code(value) for name, value in values.items() if not CODE.fullmatch(name)}
