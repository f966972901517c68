"""What a row says: a text with its label, perhaps of a pair, or a conversation whose last message is its label."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from luthier.data.conversations import (
    ConversationFormat,
    Message,
    as_json,
    as_text,
    conversation_format,
    require_conversation,
)
from luthier.data.label_values import Labels, Target
from luthier.data.tags import Words
from luthier.data.template import Template
from luthier.data.text import clean_in_place
from luthier.data.text_cleaning import TextCleaner
from luthier.data.unusable import Unusable
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.recipe.data_section import DataSection

# Their labels count the characters of the text, so none of these moves.
IN_PLACE = ("spans", "tags", "answers")


class Content(NamedTuple):
    """``messages`` is JSON, ``pii`` how many pieces of personal data were found, by kind."""

    text: str
    pair: str | None
    messages: str | None
    target: Target
    pii: Mapping[str, int]


class ContentReader(Protocol):
    """Reads what rows say; ``columns`` are those it reads, ``labels`` the names that labels may have, if listed."""

    columns: frozenset[str]
    labels: tuple[str, ...]

    def read(self, row: Mapping[str, Any]) -> Content:
        """The content of one raw row. Raises Unusable."""


def content_reader(data: "DataSection", columns: Collection[str]) -> ContentReader:
    """The reader for a recipe's rows, which have ``columns``. Raises DataError."""
    conversation = conversation_format(data.columns, columns)
    return LabelledTexts(data, columns) if conversation is None else Conversations(data, columns, conversation)


class LabelledTexts:
    """Texts, or pairs of them, and labels of any kind."""

    def __init__(self, data: "DataSection", columns: Collection[str]):
        assert data.columns.text is not None
        self._text = Template.parse(data.columns.text)
        self._pair = None if data.columns.pair is None else Template.parse(data.columns.pair)
        self._labels, self._kind = Labels.of(data, columns), data.label_kind
        self._texts = TextCleaner(data.cleaning)
        self._clean = clean_in_place if self._kind in IN_PLACE else self._texts.line
        self.columns = self._text.columns | self._labels.columns | (self._pair.columns if self._pair else frozenset())
        self.labels = self._labels.names.allowed
        if self._kind in IN_PLACE and data.cleaning.pii == "mask":
            raise DataError(
                f"masks move the characters that {self._kind} count",
                received=f"data.cleaning.pii: mask with data.label_kind: {self._kind}",
                remedy="set data.cleaning.pii to count or reject",
            )

    def read(self, row: Mapping[str, Any]) -> Content:
        """The content of one raw row. Raises Unusable."""
        raw = filled(self._text, row, "text")
        words = Words.of(raw) if self._kind == "tags" else None
        text = self._clean(words.text if words else raw)
        require_visible(text, self._text, row, "text")
        self._texts.require_length(text)
        pair = None if self._pair is None else self._paired(self._pair, row)
        target = self._labels.target(row, text, self._texts.lines, words.places if words else ())
        generated = target if self._kind == "text" else ""
        said, found = self._texts.without_pii([text, pair or "", str(generated)])
        return Content(said[0], pair and said[1], None, said[2] if generated else target, found)

    def _paired(self, template: Template, row: Mapping[str, Any]) -> str:
        pair = self._texts.line(filled(template, row, "pair"))
        require_visible(pair, template, row, "pair")
        self._texts.require_at_most(pair, of=" of the pair")
        return pair


class Conversations:
    """Conversations, whose last message is the text to be generated."""

    def __init__(self, data: "DataSection", columns: Collection[str], conversation: ConversationFormat):
        self._format, self._texts = conversation, TextCleaner(data.cleaning)
        self.columns = frozenset(conversation.required) | (frozenset(conversation.optional) & frozenset(columns))
        self.labels: tuple[str, ...] = ()
        if data.label_kind != "text":
            raise DataError(
                "conversations have labels of kind text",
                received=data.label_kind,
                remedy="set data.label_kind to text, or name data.columns.text and label",
            )

    def read(self, row: Mapping[str, Any]) -> Content:
        """The content of one raw row. Raises Unusable."""
        messages = [Message(role, self._texts.lines(content)) for role, content in self._format.messages(row)]
        require_conversation(messages)
        contents, found = self._texts.without_pii([message.content for message in messages])
        *prompt, answer = map(Message, (message.role for message in messages), contents)
        text = as_text(prompt)
        self._texts.require_length(text)
        return Content(text, None, as_json(prompt), answer.content, found)


def filled(template: Template, row: Mapping[str, Any], what: str) -> str:
    """The text that a template makes of a row. Raises Unusable where it makes none."""
    raw = template.fill(row)
    if raw is None:
        raise Unusable(f"missing {what}")
    return raw


def require_visible(text: str, template: Template, row: Mapping[str, Any], what: str) -> None:
    """What a template adds to the columns is no text of a row."""
    if not text or not any(row[name] and not row[name].isspace() for name in template.columns):
        raise Unusable(f"empty {what}")
