"""The ``learning_curve`` of an evaluation: what says whether more rows would help."""

from typing import Literal

from pydantic import Field

from luthier.recipe.section import Section


class LearningCurveSection(Section):
    """What is trained on parts of the training rows, to say whether more of them would help."""

    by: Literal["probe", "none"] = Field(
        default="probe", description="A linear probe on the untuned base, for text classification; or nothing."
    )
    seeds: int = Field(default=5, ge=2, le=50, description="Parts of each size that it is trained on.")
