"""The ``gate`` of an evaluation: what must hold beside the target."""

from typing import Final

from pydantic import Field

from luthier.recipe.section import Section


class GateSection(Section):
    """What must hold beside the target for a model to deploy; null asks for nothing."""

    label_f1: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="The least test F1 of every label that has test rows: the value, not its interval.",
    )
    slice: float | None = Field(
        default=None,
        ge=-1,
        le=1e9,
        description="What the metric must reach, or stay below, on every slice that the report judges: the value, "
        "not its interval.",
    )
    calibration_error: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="The greatest expected calibration error of the test probabilities: the value, not its interval.",
    )
    latency_ms: float | None = Field(
        default=None, gt=0, le=1e9, description="The longest median time for one row, in milliseconds, as it is served."
    )
    size_mb: float | None = Field(
        default=None, gt=0, le=1e9, description="The most megabytes of the model's files, as it is served."
    )
    champion_margin: float | None = Field(
        default=None,
        ge=0,
        le=1e9,
        description="How much worse than the champion the paired interval may reach; null is 2 % of the metric's "
        "range, of the champion's score where that has no end.",
    )


NOTHING_ASKED: Final = GateSection()
