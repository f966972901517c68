"""What a task puts on top of a pretrained model."""

from dataclasses import dataclass
from typing import Final, Literal

HeadKind = Literal["sequence-classification", "token-classification", "question-answering", "causal-lm", "seq2seq-lm"]
Problem = Literal["single_label_classification", "multi_label_classification", "regression"]

PEFT_TASK_TYPES: Final[dict[HeadKind, str]] = {
    "sequence-classification": "SEQ_CLS",
    "token-classification": "TOKEN_CLS",
    "question-answering": "QUESTION_ANS",
    "causal-lm": "CAUSAL_LM",
    "seq2seq-lm": "SEQ_2_SEQ_LM",
}


@dataclass(frozen=True)
class Head:
    """The outputs that a task needs of a model.

    ``labels`` are the classes in the order of their ids, IOB2 tags for token classification, empty where there are
    none. ``problem`` is said of sequence classification alone.
    """

    kind: HeadKind
    labels: tuple[str, ...] = ()
    problem: Problem | None = None

    @property
    def peft_task_type(self) -> str:
        """The name that PEFT has for it."""
        return PEFT_TASK_TYPES[self.kind]

    @property
    def is_language_model(self) -> bool:
        """Whether the outputs are tokens: the head is then pretrained, and not made anew."""
        return self.kind in ("causal-lm", "seq2seq-lm")
