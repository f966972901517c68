"""The ``drift`` section of a recipe: how far new rows may be from those that the champion was trained on."""

from pydantic import Field

from luthier.recipe.section import Section


class DriftSection(Section):
    """How far new rows may be from the champion's training rows before the check says so; null compares nothing."""

    label_share: float | None = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Total variation distance of the labels' shares; of numbers the Kolmogorov-Smirnov statistic.",
    )
    length: float | None = Field(
        default=0.15, ge=0, le=1, description="Kolmogorov-Smirnov statistic of the texts' lengths in tokens."
    )
    embedding: float | None = Field(
        default=0.7,
        ge=0.5,
        le=1,
        description="How well a classifier tells new from old by the base model's features: its area under the ROC "
        "curve, cross-validated; 0.5 is not at all (Lopez-Paz and Oquab 2017, arXiv 1610.06545).",
    )
    served_rows: int = Field(
        default=2000,
        ge=25,
        le=1_000_000,
        description="So many of the newest rows that the champion answered (serve.log_predictions) are compared.",
    )
