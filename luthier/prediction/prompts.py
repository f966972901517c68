"""What the model is asked about a row of a file: its own columns, or those that the recipe makes texts of."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from luthier.data.conversations import ASSISTANT, FORMATS, ConversationFormat, Message, as_json
from luthier.data.pii import masked
from luthier.data.raw import require_columns
from luthier.data.row_content import IN_PLACE, filled, require_visible
from luthier.data.tags import Words
from luthier.data.template import Template
from luthier.data.text import clean_in_place
from luthier.data.text_cleaning import TextCleaner
from luthier.data.unusable import Unusable
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.recipe.data_section import DataSection

TEXT, PAIR, MESSAGES = "text", "pair", "messages"


@dataclass(frozen=True)
class Asked:
    """What a model wants of a row: the names of its ``inputs``, and which of them it cannot do without."""

    inputs: Sequence[str]
    required: Sequence[str]


class PromptReader(Protocol):
    """``columns`` are those that are read, ``described`` says in JSON how."""

    columns: frozenset[str]
    described: Mapping[str, Any]

    def read(self, row: Mapping[str, str | None]) -> dict[str, str]:
        """The model's inputs for one row. Raises Unusable."""


def prompt_reader(
    data: "DataSection", columns: Collection[str], asked: Asked, *, text: str | None = None, pair: str | None = None
) -> PromptReader:
    """The first that the file's ``columns`` allow: those given here, the recipe's, the file's own text or messages.

    ``text`` and ``pair`` are columns or templates. Texts are cleaned as the recipe says, which rejects none for its
    length. Raises DataError when nothing fits.
    """
    named = data.columns
    pair = pair or next((each for each in (named.pair, PAIR) if each and _has(columns, each)), None)
    if text is None and named.text is not None and _has(columns, named.text):
        text = named.text
    conversation = _conversation(data, columns) if text is None and named.text is None else None
    if conversation is None and text is None and MESSAGES in columns and MESSAGES in asked.inputs:
        conversation = ConversationFormat(MESSAGES, (MESSAGES,))
    if conversation is not None:
        return Conversations(data, conversation)
    if text is not None or TEXT in columns:
        return _texts(data, columns, asked, text or TEXT, pair)
    wanted = [named.text or "", *asked.required]
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


def _texts(data: "DataSection", columns: Collection[str], asked: Asked, text: str, pair: str | None) -> "Texts":
    if PAIR in asked.required and pair is None:
        raise DataError(
            "the model needs a pair for each text", received=list(columns), remedy="name its column with --pair"
        )
    reader = Texts(data, Template.parse(text), Template.parse(pair) if pair and PAIR in asked.inputs else None)
    require_columns(columns, reader.columns, where="the file")
    return reader


class _Cleaning:
    """What a recipe does to texts, but for the rows that it would reject."""

    def __init__(self, data: "DataSection"):
        self.texts, self.settings = TextCleaner(data.cleaning), data.cleaning
        self.kind = data.label_kind

    @property
    def described(self) -> dict[str, Any]:
        """What texts depend on."""
        return {**self.settings.model_dump(mode="json"), "label_kind": self.kind}

    def present(self, row: Mapping[str, str | None], columns: Collection[str]) -> dict[str, str | None]:
        """The values, without those that mean a missing one."""
        values = {name: row.get(name) for name in columns}
        return {name: None if value in self.settings.missing else value for name, value in values.items()}

    def text(self, raw: str) -> str:
        """A text whose label is to be found; where labels count characters each keeps its place."""
        if self.kind == "tags":
            raw = Words.of(raw).text
        clean = clean_in_place if self.kind in IN_PLACE else self.texts.line
        return self.masked(clean(raw))

    def line(self, raw: str) -> str:
        return self.masked(self.texts.line(raw))

    def lines(self, raw: str) -> str:
        return self.masked(self.texts.lines(raw))

    def masked(self, text: str) -> str:
        return masked(text)[0] if self.settings.pii == "mask" else text


class Texts:
    """A text, perhaps with a pair, of columns or templates."""

    def __init__(self, data: "DataSection", text: Template, pair: Template | None):
        self._text, self._pair, self._cleaning = text, pair, _Cleaning(data)
        self.columns = text.columns | (pair.columns if pair else frozenset())
        self.described: Mapping[str, Any] = {
            TEXT: text.text,
            PAIR: pair and pair.text,
            "cleaning": self._cleaning.described,
        }

    def read(self, row: Mapping[str, str | None]) -> dict[str, str]:
        values = self._cleaning.present(row, self.columns)
        said = {TEXT: _said(self._text, values, TEXT, self._cleaning.text)}
        return said | ({} if self._pair is None else {PAIR: _said(self._pair, values, PAIR, self._cleaning.line)})


class Conversations:
    """A conversation; an answer of the assistant at its end is left out, as it is what the model is asked for."""

    def __init__(self, data: "DataSection", conversation: ConversationFormat):
        self._format, self._cleaning = conversation, _Cleaning(data)
        self.columns = frozenset((*conversation.required, *conversation.optional))
        self.described: Mapping[str, Any] = {
            MESSAGES: list(conversation.required),
            "cleaning": self._cleaning.described,
        }

    def read(self, row: Mapping[str, str | None]) -> dict[str, str]:
        found = self._format.messages(self._cleaning.present(row, self.columns))
        messages = [Message(role, self._cleaning.lines(content)) for role, content in found]
        if messages and messages[-1].role == ASSISTANT:
            messages.pop()
        if not any(content for _, content in messages):
            raise Unusable("nobody asks anything in the conversation")
        return {MESSAGES: as_json(messages)}


def _said(template: Template, row: Mapping[str, str | None], what: str, clean: Callable[[str], str]) -> str:
    text = clean(filled(template, row, what))
    require_visible(text, template, row, what)
    return text
