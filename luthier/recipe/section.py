"""What every part of a recipe has in common."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from luthier.errors import SourceError
from luthier.secrets import require_no_secret


def _without_secret(uri: str) -> str:
    """A recipe is stored and shown in many places, so a secret in it must not get past its reading."""
    try:
        require_no_secret(uri)
    except SourceError as error:
        raise PydanticCustomError("secret", "{rule}", {"rule": f"{error.what}; {error.remedy}"}) from None
    return uri


Name = Annotated[str, Field(min_length=1)]
Address = Annotated[Name, AfterValidator(_without_secret)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Section(BaseModel):
    """A part of a recipe: unknown keys are refused, types are not guessed, nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def unknown_name(valid: Sequence[str]) -> PydanticCustomError:
    """The error of a name that is none of ``valid``; its nearest is suggested."""
    return PydanticCustomError("unknown_name", "must be one of {valid}", {"valid": ", ".join(valid)})


def different(values: list[Any]) -> list[Any]:
    """A validator: no value is named twice."""
    if repeated := [value for value in dict.fromkeys(values) if values.count(value) > 1]:
        raise PydanticCustomError("repeated", "must name each once, not {value} again", {"value": repeated[0]})
    return values
