"""What the protocols share: the model behind the dispatcher, asked within the limits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from luthier.serving.control import Control, State
from luthier.serving.dispatch import Dispatcher
from luthier.serving.gate import VERSION_HEADER, Record
from luthier.serving.job import Answer, Columns
from luthier.serving.metrics import Metrics
from luthier.serving.package import Package
from luthier.serving.refusal import Refusal
from luthier.serving.settings import Limits, Settings


@dataclass(frozen=True)
class Service:
    """A server's parts. ``described`` is the model it was started with: task and columns never change after."""

    settings: Settings
    control: Control
    dispatcher: Dispatcher
    metrics: Metrics
    described: Package

    @property
    def limits(self) -> Limits:
        return self.settings.limits

    @property
    def state(self) -> State:
        state = self.control.state
        if state is None:
            raise Refusal(503, "no model has answered yet", remedy="ask again in a moment")
        return state

    async def ask(self, request: Request, columns: Columns, rows: int, **options: Any) -> Answer:
        """The answer to rows within the limits."""
        self.require(columns, rows)
        record = self.noted(request, columns, rows)
        answer = await self.dispatcher.ask(columns, rows, **options)
        record.version = answer.version
        self.metrics.batch(answer.batch)
        return answer

    def noted(self, request: Request, columns: Columns, rows: int) -> Record:
        record: Record = request.scope["luthier"]
        record.rows, record.texts = rows, columns
        return record

    def require(self, columns: Columns, rows: int) -> None:
        """Refuses what is more than the limits allow, columns that the model does not read, and lacking ones."""
        limits = self.limits
        if rows > limits.rows:
            raise Refusal(413, f"{rows} rows are more than {limits.rows}", remedy="send fewer rows at once")
        unknown = [name for name in columns if name not in self.described.inputs]
        missing = [name for name in self.described.required if name not in columns]
        if columns and (unknown or missing):
            wrong = f"reads no column {unknown[0]!r}" if unknown else f"needs the column {missing[0]!r}"
            raise Refusal(422, f"the model {wrong}", remedy=f"give {', '.join(self.described.inputs)}")
        for name, texts in columns.items():
            for row, text in enumerate(texts):
                if text is None:
                    continue
                if not isinstance(text, str):
                    raise Refusal(422, f"{name} of row {row} is no text", remedy="give a string")
                if len(text) > limits.characters:
                    said = f"{name} of row {row} has {len(text):,} characters, more than {limits.characters:,}"
                    raise Refusal(413, said, remedy="send a shorter text")
                if not text.isprintable() and not _encodable(text):
                    raise Refusal(422, f"{name} of row {row} has half a character", remedy="send valid Unicode")


async def json_body(request: Request) -> Any:
    """The body as JSON values, of a request that says that it is JSON.

    A page elsewhere cannot send that without asking first, which is never allowed here.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, f"the body is {kind or 'of no type'}", remedy="send application/json")
    try:
        return json.loads(await request.body(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the body is no JSON: {error}") from None


def answered(values: Any, version: str | None, *, headers: Mapping[str, str] | None = None) -> Response:
    """JSON, with the version that answered in the headers."""
    named = {VERSION_HEADER: version} if version else {}
    body = json.dumps(values, ensure_ascii=False, allow_nan=False)
    return Response(body, media_type="application/json", headers={**named, **(headers or {})})


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON number")
