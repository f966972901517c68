"""MLflow's scoring protocol: ``/invocations``, ``/ping``, ``/health``, ``/version``.

{"dataframe_records": [{"text": "a fine film"}]}  ->  {"predictions": [{"label": "good", "probability": 0.98}]}
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from luthier.process_identity import ProcessIdentity
from luthier.serving.job import Columns
from luthier.serving.json_body import answered, json_body
from luthier.serving.refusal import Refusal
from luthier.serving.service import Service

Rows = tuple[Columns, int]


class ScoringProtocol:
    """Rows in any of MLflow's four forms of JSON, and predictions as records."""

    def __init__(self, service: Service):
        self.service = service

    async def invocations(self, request: Request) -> Response:
        columns, rows = read_rows(await json_body(request), self.service.described.inputs)
        self.service.require(columns, rows)
        answer = await self.service.ask(request, columns, rows)
        return answered({"predictions": answer.answers}, answer.version)

    async def ping(self, request: Request) -> Response:
        """The server is there."""
        return Response("\n", media_type="text/plain")

    async def health(self, request: Request) -> Response:
        """The model is there: its process lives."""
        state = self.service.state
        if not ProcessIdentity(state.process).alive():
            raise Refusal(503, "the model's process is being started", remedy="ask again in a moment")
        return answered({"status": "ready", "version": state.version}, state.version)

    async def version(self, request: Request) -> Response:
        """What answers, since when, and what was last tried in vain."""
        state, settings = self.service.state, self.service.settings
        said = {
            "model": settings.model,
            "version": state.version,
            "alias": settings.alias,
            "task": self.service.described.task,
            "since": state.since,
            "swaps": state.swaps,
            "swap_failures": state.failures,
            "last_failure": state.failed,
        }
        return answered(said, state.version)


def read_rows(body: Any, inputs: Sequence[str]) -> Rows:
    """The rows of a body as columns, and their number; ``inputs`` are the model's columns."""
    if not isinstance(body, dict):
        raise Refusal(422, "the body is no JSON object", remedy=_ONE_OF)
    forms = [name for name in body if name in FORMS]
    unknown = [name for name in body if name not in FORMS and name != "params"]
    if len(forms) != 1 or unknown:
        raise Refusal(422, f"the body has {', '.join(map(repr, body)) or 'no field'}", remedy=_ONE_OF)
    if body.get("params"):
        raise Refusal(422, "the model takes no params", param="params")
    return FORMS[forms[0]](body[forms[0]], inputs)


def _split(given: Any, inputs: Sequence[str]) -> Rows:
    if not isinstance(given, dict) or not {"columns", "data"} <= given.keys() <= {"columns", "data", "index"}:
        raise Refusal(422, "dataframe_split is no object with columns and data")
    names, data = given["columns"], given["data"]
    if not isinstance(given.get("index", []), list):
        raise Refusal(422, "the index of dataframe_split is no list")
    if not _is_list_of(names, str) or len(set(names)) != len(names) or not names:
        raise Refusal(422, "the columns of dataframe_split are no list of different names")
    if not _is_list_of(data, list) or any(len(row) != len(names) for row in data):
        raise Refusal(422, "the data of dataframe_split is no list of rows with a value for each column")
    return {name: [row[place] for row in data] for place, name in enumerate(names)}, len(data)


def _records(given: Any, inputs: Sequence[str]) -> Rows:
    if not _is_list_of(given, dict):
        raise Refusal(422, "the rows are no list of objects", remedy='send [{"text": "..."}]')
    names = list(dict.fromkeys(name for row in given for name in row))
    return {name: [row.get(name) for row in given] for name in names}, len(given)


def _instances(given: Any, inputs: Sequence[str]) -> Rows:
    if isinstance(given, list) and given and isinstance(given[0], str):
        return _only_column(given, inputs)
    return _records(given, inputs)


def _inputs(given: Any, inputs: Sequence[str]) -> Rows:
    if isinstance(given, list):
        return _instances(given, inputs)
    if not isinstance(given, dict) or not given:
        raise Refusal(422, "inputs is neither an object of columns nor a list")
    columns: dict[str, Any] = {name: [texts] if isinstance(texts, str) else texts for name, texts in given.items()}
    lengths = {len(texts) if isinstance(texts, list) else -1 for texts in columns.values()}
    if len(lengths) > 1 or -1 in lengths:
        raise Refusal(422, "the columns of inputs are no lists of one length")
    return columns, lengths.pop()


def _only_column(texts: list[Any], inputs: Sequence[str]) -> Rows:
    if len(inputs) != 1:
        raise Refusal(422, "the model reads several columns", remedy=f"send objects with {', '.join(inputs)}")
    return {inputs[0]: texts}, len(texts)


def _is_list_of(given: Any, kind: type) -> bool:
    return isinstance(given, list) and all(isinstance(one, kind) for one in given)


FORMS: Final[Mapping[str, Callable[[Any, Sequence[str]], Rows]]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _instances,
    "inputs": _inputs,
}
_ONE_OF = f"send exactly one of {', '.join(FORMS)}"
