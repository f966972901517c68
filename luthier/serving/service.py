"""What the protocols share: the model behind the dispatcher, asked within the limits."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from luthier.serving.control import Control, State
from luthier.serving.dispatch import Dispatcher
from luthier.serving.job import Answer, Columns
from luthier.serving.json_body import is_unicode
from luthier.serving.metrics import Metrics
from luthier.serving.package import Package
from luthier.serving.refusal import Refusal
from luthier.serving.request_log import Record
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
        """The answer to rows, noted for log and metrics."""
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
                if not is_unicode(text):
                    raise Refusal(422, f"{name} of row {row} has half a character", remedy="send valid Unicode")
