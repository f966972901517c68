"""The ``serve`` section of a recipe: what is kept of what the served model answers."""

from pydantic import Field

from luthier.recipe.section import Section


class ServingSection(Section):
    """What is kept of what the served model is asked and answers; nothing by default."""

    log_predictions: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the rows that are kept with their answers, texts included, drawn by chance; 0 is none.",
    )
    log_days: int | None = Field(
        default=90, ge=1, le=36500, description="Days that they are kept; null keeps them for ever."
    )
