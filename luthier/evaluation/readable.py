"""Rows and answers as people read them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.wording import NOTHING
from luthier.tasks.head import Head


def inputs(test: Evaluated, rows: Sequence[int]) -> list[str]:
    """What the model read; a question stands before the text that it is asked of."""
    first, second = ("pair", "text") if test.head.kind == "question-answering" else ("text", "pair")
    parts = ([test.rows[name][row].as_py() for name in (first, second)] for row in rows)
    return [" | ".join(part for part in row if part) for row in parts]


def label_text(value: Any) -> str:
    """A label, or several."""
    return value if isinstance(value, str) else ", ".join(value) or NOTHING


def span_of(span: Any) -> tuple[int, int, str]:
    """Start, end and label of a span in either form."""
    return (span["start"], span["end"], span["label"]) if isinstance(span, Mapping) else tuple(span)


def entities_text(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """``Anna (PER), Rome (LOC)``"""
    return ", ".join(f"{text[start:end]} ({label})" for start, end, label in sorted(spans)) or NOTHING


def expected_text(label: Any, text: str, head: Head) -> str:
    """A row's label; of several acceptable answers each once."""
    if head.kind == "question-answering":
        spans = (span_of({"label": "", **span}) for span in label)
        return " | ".join(dict.fromkeys(text[start:end] for start, end, _ in spans)) or NOTHING
    return answer_text(label, text, head)


def answer_text(answer: Any, text: str, head: Head) -> str:
    """An answer to ``text``, of a model with ``head``."""
    if head.problem == "regression":
        return f"{answer:.4g}"
    if head.kind == "token-classification":
        return entities_text(text, {span_of(span) for span in answer})
    if head.kind == "sequence-classification":
        return label_text(answer)
    return answer or NOTHING
