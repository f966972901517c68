"""What a deployed model is also written as, one file each: adding one is a file, its name here and in the recipe."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from luthier.errors import ModelError
from luthier.packaging.targets.folder import Folder
from luthier.packaging.targets.gguf import Gguf
from luthier.packaging.targets.onnx import Onnx
from luthier.packaging.targets.target import Target
from luthier.tasks.head import HeadKind

PACKAGE: Final = "mlflow"
"""The MLflow package, which is what gets registered; every deployment has it."""

TARGETS: Final[Mapping[str, type[Target]]] = {"folder": Folder, "onnx": Onnx, "gguf": Gguf}


def require_targets(targets: Mapping[str, Target], base: Path, *, family: str, head: HeadKind) -> None:
    """Raises a ModelError for a target that a base model, with this head, cannot have, or lacks packages for."""
    for name, target in targets.items():
        if rule := target.base_refusal(family, head):
            raise ModelError(rule, where="deploy.targets", received=name, remedy="leave it out")
        target.require(base)
