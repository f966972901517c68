"""A registered version as a batch asks it."""

from typing import TYPE_CHECKING, Any

from luthier.errors import DataError, LuthierError
from resources.package import TYPES
from resources.tracking import Tracking

if TYPE_CHECKING:
    import pyarrow as pa

    from luthier.prediction.batch import AskedModel


def asked_model(tracking: Tracking, name: str, version: str | None) -> "AskedModel":
    """The version, the champion when it is None, loaded. Raises LuthierError: there is none, or MLflow is away."""
    import pyarrow as pa

    from luthier.prediction.batch import AskedModel
    from luthier.prediction.prompts import Asked

    chosen = version or tracking.champion(name)
    if chosen is None:
        raise LuthierError("no champion is registered", where=name, remedy="run a recipe that deploys this model")
    loaded = tracking.load_version(name, chosen)
    inputs, outputs = loaded.metadata.get_input_schema(), loaded.metadata.get_output_schema()
    arrow = {mlflow_name: pa.type_for_alias(alias) for alias, mlflow_name in TYPES.items()}
    said = pa.schema([(column.name, arrow[column.type.name]) for column in outputs.inputs])

    def answer(rows: "pa.Table") -> "pa.Table":
        return pa.Table.from_pandas(_predicted(loaded, rows), schema=said, preserve_index=False)

    return AskedModel(name, chosen, Asked(inputs.input_names(), inputs.required_input_names()), said, answer)


def _predicted(loaded: Any, rows: "pa.Table") -> Any:
    """MLflow wraps no error of the model's own; one of Luthier's beside the model may be another class of that name."""
    try:
        return loaded.predict(rows.to_pandas())
    except ValueError as error:
        if isinstance(error, DataError) or type(error).__name__ != "DataError":
            raise
        raise DataError(getattr(error, "what", str(error))) from error
