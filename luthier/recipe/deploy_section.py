"""The ``deploy`` section of a recipe: what a model that is good enough is written as, and under which name."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from luthier.packaging.targets import PACKAGE, TARGETS
from luthier.packaging.targets.folder import Folder
from luthier.packaging.targets.gguf import Gguf
from luthier.packaging.targets.onnx import Onnx
from luthier.packaging.targets.target import Target
from luthier.recipe.section import Section, different, unknown_name


def _known_target(name: str) -> str:
    if name not in (PACKAGE, *TARGETS):
        raise unknown_name([PACKAGE, *TARGETS])
    return name


def _with_package(names: list[str]) -> list[str]:
    if PACKAGE not in names:
        raise PydanticCustomError("package", "must have {package}, which is what gets registered", {"package": PACKAGE})
    return names


TargetName = Annotated[str, AfterValidator(_known_target), Field(json_schema_extra={"enum": [PACKAGE, *TARGETS]})]


class DeploySection(Section):
    """Where the model goes."""

    model: str | None = Field(
        default=None, pattern="^[^/:]+$", description="The registered model's name; the recipe's name by default."
    )
    targets: Annotated[list[TargetName], AfterValidator(different), AfterValidator(_with_package)] = Field(
        default=[PACKAGE], description="What the model is written as: mlflow always, and any of the others beside it."
    )
    folder: Folder = Field(default=Folder(), description="How the target folder is written.")
    onnx: Onnx = Field(default=Onnx(), description="How the target onnx is written.")
    gguf: Gguf = Field(default=Gguf(), description="How the target gguf is written.")

    @property
    def beside_package(self) -> dict[str, Target]:
        """The targets to write beside the MLflow package, in alphabetical order."""
        return {name: getattr(self, name) for name in sorted(self.targets) if name != PACKAGE}

    @property
    def written(self) -> dict[str, Any]:
        """The settings of all targets by name: what decides the files, as JSON values."""
        return {PACKAGE: {}, **{name: target.model_dump(mode="json") for name, target in self.beside_package.items()}}
