"""Rows that are conversations, in the formats that instruction data has.

    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}    OpenAI
    {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}        ShareGPT
    {"instruction": "Translate.", "input": "Hallo", "output": "Hello", "system": "Be brief."}       Alpaca

The last message is the assistant's, and is what a model learns to say; those before it are the prompt.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from luthier.data.unusable import Unusable, json_list, shown
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.recipe.data_section import Columns

USER, ASSISTANT = "user", "assistant"
ROLES = {"system": "system", USER: USER, "human": USER, ASSISTANT: ASSISTANT, "gpt": ASSISTANT}
BROKEN, MISSING = "broken conversation", "missing conversation"


class Message(NamedTuple):
    """What ``role`` (system, user or assistant) says."""

    role: str
    content: str


@dataclass(frozen=True)
class ConversationFormat:
    """Where a row has its conversation: the columns that must be there, and those that may be."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def messages(self, row: Mapping[str, str | None]) -> list[Message]:
        """The conversation of a row, as it is written. Raises Unusable."""
        if len(self.required) == 1:
            return _listed(row[self.required[0]])
        return _instructed(row)


FORMATS = (
    ConversationFormat("OpenAI", ("messages",)),
    ConversationFormat("ShareGPT", ("conversations",)),
    ConversationFormat("Alpaca", ("instruction", "output"), ("input", "system")),
)
KNOWN = "messages (OpenAI), conversations (ShareGPT), or instruction and output (Alpaca)"


def recognise(columns: Collection[str]) -> ConversationFormat:
    """The format of rows with these columns. Raises DataError unless it is exactly one."""
    found = [known for known in FORMATS if set(known.required) <= set(columns)]
    if len(found) == 1:
        return found[0]
    names = " and ".join(known.name for known in found) or "no known one"
    what = f"the format of the conversations is not told by the columns: {names} would fit"
    remedy = f"known are {KNOWN}; or name data.columns.messages, or data.columns.text and label"
    raise DataError(what, where="data.columns", received=list(columns), remedy=remedy)


def conversation_format(named: "Columns", columns: Collection[str]) -> ConversationFormat | None:
    """The format that a recipe names or its columns tell; None where it names a text. Raises DataError."""
    if named.messages is not None:
        return ConversationFormat("messages", (named.messages,))
    return recognise(columns) if named.text is None else None


def require_conversation(messages: Sequence[Message]) -> None:
    """Raises Unusable unless a user asks, everyone says something, and the assistant has the last word."""
    for number, message in enumerate(messages, 1):
        if not message.content:
            raise Unusable("empty message", f"message {number}, of the {message.role}, is empty")
    if not messages or messages[-1].role != ASSISTANT:
        last = f"the last one is of the {messages[-1].role}" if messages else "there is no message"
        raise Unusable("no final assistant message", f"no final assistant message: {last}")
    if not any(message.role == USER for message in messages):
        raise Unusable("no user message")


def as_text(messages: Sequence[Message]) -> str:
    """A conversation to be read by people."""
    return "\n".join(f"{role}: {content}" for role, content in messages)


def as_json(messages: Sequence[Message]) -> str:
    """A conversation as OpenAI writes it: what chat templates take."""
    return json.dumps([message._asdict() for message in messages], ensure_ascii=False)


def cleaned(messages: Sequence[Message], clean: Callable[[str], str]) -> list[Message]:
    """What is said, cleaned."""
    return [Message(role, clean(content)) for role, content in messages]


def _listed(written: str | None) -> list[Message]:
    if written is None or not written.strip():
        raise Unusable(MISSING)
    return [_message(number, entry) for number, entry in enumerate(json_list(written, BROKEN), 1)]


def _message(number: int, entry: object) -> Message:
    names = ("role", "content") if isinstance(entry, dict) and "role" in entry else ("from", "value")
    role, content = map(entry.get, names) if isinstance(entry, dict) else (None, None)
    if not isinstance(role, str) or not isinstance(content, str):
        raise Unusable(BROKEN, f"message {number} has no texts role and content, or from and value: {shown(entry)}")
    if role not in ROLES:
        raise Unusable("unknown role", f"message {number} is of {shown(role)}, not of {', '.join(ROLES)}")
    return Message(ROLES[role], content)


def _instructed(row: Mapping[str, str | None]) -> list[Message]:
    """An input stands below its instruction."""
    system, instruction, given, output = (row.get(name) or "" for name in ("system", "instruction", "input", "output"))
    asked = "\n\n".join(part for part in (instruction, given) if part.strip())
    messages = [Message(USER, asked), Message(ASSISTANT, output)]
    return [Message("system", system), *messages] if system.strip() else messages
