"""A registered version as people ask it."""

from typing import TYPE_CHECKING

from resources.package import answer_schema, answering
from resources.tracking import Tracking

if TYPE_CHECKING:
    from luthier.prediction.batch import AskedModel


def asked_model(tracking: Tracking, name: str, version: str | None) -> "AskedModel":
    """The version, the champion when it is None, loaded. Raises LuthierError: there is none, or MLflow is away."""
    from luthier.data.input_cleaning import UNCLEANED, InputCleaning
    from luthier.prediction.batch import AskedModel
    from luthier.prediction.prompts import ModelInputs

    chosen = tracking.registry.chosen(name, version)
    model = tracking.load_version(name, chosen)
    schema, cleaning = model.metadata.get_input_schema(), model.model_config.get("cleaning")
    inputs = ModelInputs(
        schema.input_names(),
        schema.required_input_names(),
        InputCleaning.from_config(cleaning) if cleaning else UNCLEANED,
    )
    return AskedModel(name, chosen, inputs, answer_schema(model), answering(model))
