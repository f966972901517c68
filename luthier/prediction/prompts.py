"""What the model is asked about a row of a file: its own columns, or those that the recipe makes texts of.

Texts are given as they are: the model cleans what it is asked.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from luthier.data.conversations import ASSISTANT, FORMATS, ConversationFormat, as_json
from luthier.data.input_cleaning import UNCLEANED, InputCleaning
from luthier.data.raw import require_columns
from luthier.data.row_content import filled, require_visible
from luthier.data.tags import Words
from luthier.data.template import Template
from luthier.data.unusable import Unusable
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.recipe.data_section import DataSection

TEXT, PAIR, MESSAGES = "text", "pair", "messages"


@dataclass(frozen=True)
class ModelInputs:
    """What a model reads of a row: the names of its inputs, those it cannot do without, and how it cleans them."""

    names: Sequence[str]
    required: Sequence[str]
    cleaning: InputCleaning = UNCLEANED


class PromptReader(Protocol):
    """``columns`` are those that are read, ``described`` says in JSON how."""

    columns: frozenset[str]
    described: Mapping[str, Any]

    def read(self, row: Mapping[str, str | None]) -> dict[str, str]:
        """The model's inputs for one row. Raises Unusable where nothing of them is left once they are clean."""


def prompt_reader(
    data: "DataSection",
    columns: Collection[str],
    inputs: ModelInputs,
    *,
    text: str | None = None,
    pair: str | None = None,
) -> PromptReader:
    """The first that the file's ``columns`` allow: those given here, the recipe's, the file's own text or messages.

    ``text`` and ``pair`` are columns or templates. Raises DataError when nothing fits.
    """
    named = data.columns
    pair = pair or next((each for each in (named.pair, PAIR) if each and _has(columns, each)), None)
    if text is None and named.text is not None and _has(columns, named.text):
        text = named.text
    conversation = _conversation(data, columns) if text is None and named.text is None else None
    if conversation is None and text is None and MESSAGES in columns and MESSAGES in inputs.names:
        conversation = ConversationFormat(MESSAGES, (MESSAGES,))
    if conversation is not None:
        return Conversations(data, conversation, inputs.cleaning)
    if text is not None or TEXT in columns:
        return _texts(data, columns, inputs, text or TEXT, pair)
    wanted = [named.text or "", *inputs.required]
    raise DataError(
        "nothing in the file says what the model is asked",
        received=list(columns),
        remedy=f"name a column with --text; else {' or '.join(dict.fromkeys(filter(None, wanted)))} is looked for",
    )


def _has(columns: Collection[str], template: str) -> bool:
    return Template.parse(template).columns <= set(columns)


def _conversation(data: "DataSection", columns: Collection[str]) -> ConversationFormat | None:
    """What the recipe names, or its rows look like; the answers that a model is to give may be missing."""
    if data.columns.messages is not None:
        named = ConversationFormat(MESSAGES, (data.columns.messages,))
        return named if data.columns.messages in columns else None
    return next((known for known in FORMATS if set(known.required) - {"output"} <= set(columns)), None)


def _texts(data: "DataSection", columns: Collection[str], inputs: ModelInputs, text: str, pair: str | None) -> "Texts":
    if PAIR in inputs.required and pair is None:
        raise DataError(
            "the model needs a pair for each text", received=list(columns), remedy="name its column with --pair"
        )
    second = Template.parse(pair) if pair and PAIR in inputs.names else None
    reader = Texts(data, Template.parse(text), second, inputs.cleaning)
    require_columns(columns, reader.columns, where="the file")
    return reader


def _present(
    row: Mapping[str, str | None], columns: Collection[str], missing: Collection[str]
) -> dict[str, str | None]:
    """The values of columns, without those that mean a missing one."""
    values = {name: row.get(name) for name in columns}
    return {name: None if value in missing else value for name, value in values.items()}


class Texts:
    """A text, perhaps with a pair, of columns or templates."""

    def __init__(self, data: "DataSection", text: Template, pair: Template | None, cleaning: InputCleaning):
        self._text, self._pair, self._cleaning = text, pair, cleaning
        self._missing, self._tagged = data.cleaning.missing, data.label_kind == "tags"
        self.columns = text.columns | (pair.columns if pair else frozenset())
        self.described: Mapping[str, Any] = {
            TEXT: text.text,
            PAIR: pair and pair.text,
            "missing": self._missing,
            "tagged": self._tagged,
        }

    def read(self, row: Mapping[str, str | None]) -> dict[str, str]:
        values = _present(row, self.columns, self._missing)
        text = filled(self._text, values, TEXT)
        if self._tagged:
            text = Words.of(text).text
        require_visible(self._cleaning.text(text), self._text, values, TEXT)
        if self._pair is None:
            return {TEXT: text}
        pair = filled(self._pair, values, PAIR)
        require_visible(self._cleaning.pair(pair), self._pair, values, PAIR)
        return {TEXT: text, PAIR: pair}


class Conversations:
    """A conversation; an answer of the assistant at its end is left out, as it is what the model is asked for."""

    def __init__(self, data: "DataSection", conversation: ConversationFormat, cleaning: InputCleaning):
        self._format, self._cleaning, self._missing = conversation, cleaning, data.cleaning.missing
        self.columns = frozenset((*conversation.required, *conversation.optional))
        self.described: Mapping[str, Any] = {MESSAGES: list(conversation.required), "missing": self._missing}

    def read(self, row: Mapping[str, str | None]) -> dict[str, str]:
        messages = self._format.messages(_present(row, self.columns, self._missing))
        if messages and messages[-1].role == ASSISTANT:
            messages.pop()
        if not any(self._cleaning.said(content) for _, content in messages):
            raise Unusable("nobody asks anything in the conversation")
        return {MESSAGES: as_json(messages)}
