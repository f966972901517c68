r"""Conversations as a tokenizer's own chat template writes them, and where in them the assistant speaks.

<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n
                                                       |-- answer ---|
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from luthier.errors import ModelError

DEFAULT_CHAT_TEMPLATE: Final = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ message['role'] + ':\\n' + message['content'] + eos_token + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'assistant:\\n' }}{% endif %}"
)

USER, ASSISTANT = "user", "assistant"
# Any conversation: what stands after its answer ends all others too.
QUESTION, ANSWER = "question", "answer"

Message = Mapping[str, str]


@dataclass(frozen=True)
class Rendered:
    """A conversation up to the end of its last answer.

    ``answers`` are the characters [start, end) of all answers, end-of-turn included.
    """

    text: str
    answers: tuple[tuple[int, int], ...]

    @property
    def prompt(self) -> str:
        """All that stands before the last answer."""
        return self.text[: self.answers[-1][0]]


def with_chat_template(tokenizer: Any) -> Any:
    """The tokenizer itself, which now has a chat template if it had none, and keeps it when it is saved."""
    if tokenizer.chat_template is None:
        tokenizer.chat_template = DEFAULT_CHAT_TEMPLATE
    return tokenizer


def rendered(tokenizer: Any, messages: Sequence[Message]) -> Rendered | None:
    """A conversation that ends with an answer; None where the template cannot say where its answers stand.

    That is so when it refuses the conversation, or writes the beginning otherwise once more has been said.
    """
    import jinja2

    turns = [turn for turn, message in enumerate(messages) if message["role"] == ASSISTANT]
    try:
        text = _written(tokenizer, messages)
        answers = [
            (_written(tokenizer, messages[:turn], ask=True), _written(tokenizer, messages[: turn + 1]))
            for turn in turns
        ]
    except jinja2.TemplateError:
        return None
    if not all(said.startswith(prompt) and text.startswith(said.rstrip()) for prompt, said in answers):
        return None
    places = tuple((len(prompt), len(said.rstrip())) for prompt, said in answers)
    return Rendered(text[: places[-1][1]], places)


def prompt_text(tokenizer: Any, messages: Sequence[Message]) -> str | None:
    """What the model reads before it answers; None where the template refuses the conversation."""
    import jinja2

    try:
        return _written(tokenizer, messages, ask=True)
    except jinja2.TemplateError:
        return None


def end_of_turn(tokenizer: Any) -> int:
    """The token that the template puts after an answer; for chat models often not the tokenizer's end token.

    A space that stands before it would end answers at their own spaces.

    Raises:
        ModelError: the template puts nothing there, so that a model would never learn to stop.
    """
    conversation = [{"role": USER, "content": QUESTION}, {"role": ASSISTANT, "content": ANSWER}]
    found = rendered(tokenizer, conversation)
    rest = found.text.rpartition(ANSWER)[2] if found else ""
    ids = tokenizer(rest, add_special_tokens=False)["input_ids"]
    if not ids:
        raise ModelError(
            "the tokenizer's chat template does not say where an answer ends",
            received=found.text if found else tokenizer.chat_template,
            remedy="choose a base whose tokenizer has an end token and a template that writes it after each answer",
        )
    return next((token for token in ids if token in tokenizer.all_special_ids), ids[0])


def _written(tokenizer: Any, messages: Sequence[Message], *, ask: bool = False) -> str:
    template = with_chat_template(tokenizer).apply_chat_template
    return template(list(messages), tokenize=False, add_generation_prompt=ask)
