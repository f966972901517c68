"""The ``on_failure`` section of a recipe: who is told when a run fails or a loop of tuning ends."""

from typing import Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from luthier.recipe.section import Address, Section

IN_THE_ENVIRONMENT = (
    "is a URL, and whoever knows the URL of a webhook can post to it; keep it in an environment variable and give that "
    "variable's name as webhook.url_env"
)


class Webhook(Section):
    """An address that messages are posted to."""

    url_env: str | None = Field(
        default=None,
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="The environment variable that holds the URL of a webhook that takes Slack's JSON.",
    )


class OnFailureSection(Section):
    """Who is told when a run of the recipe fails, or its loop of tuning ends, whatever the end."""

    webhook: Webhook = Field(default=Webhook(), description="An address that messages are posted to.")
    command: list[Address] | None = Field(
        default=None,
        min_length=1,
        description="A program and its arguments, run without a shell; it reads the message as JSON.",
    )

    @model_validator(mode="before")
    @classmethod
    def _holds_no_url(cls, given: Any) -> Any:
        """A recipe is stored and shown in many places."""
        parts = {**given, "command": None} if isinstance(given, dict) else given
        if _has_url(parts):
            raise PydanticCustomError("secret", "{rule}", {"rule": IN_THE_ENVIRONMENT})
        return given


def _has_url(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_url, value.values()))
    return isinstance(value, str) and "://" in value
