"""Test rows for people to look at: the most confident mistakes, the worst rows, a sample of what was generated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.metrics.statistic import f1
from luthier.evaluation.readable import entities_text, inputs, label_text, span_of
from luthier.evaluation.scores import per_row, point
from luthier.evaluation.wording import NOTHING

MOST = 20


@dataclass(frozen=True)
class Example:
    """A test row as people read it: what was expected, what the model answered, and a number that says how it did."""

    text: str
    expected: str
    given: str
    number: float


@dataclass(frozen=True)
class Examples:
    """Some of ``among`` rows: of all that are wrong, or all that text was generated for.

    ``number`` names the number that each of them has.
    """

    kind: Literal["mistakes", "worst", "sample"]
    number: str
    among: int
    rows: tuple[Example, ...]


def chosen_examples(test: Evaluated) -> Examples:
    """The rows that tell most of a model of this task."""
    if test.head.problem == "regression":
        return _largest_errors(test)
    choose = {
        "sequence-classification": _confident_mistakes,
        "token-classification": _missed_entities,
        "question-answering": _missed_answers,
    }
    return choose.get(test.head.kind, _generations)(test)


def _confident_mistakes(test: Evaluated) -> Examples:
    """Wrong rows by the probability that the model gave its answer, of several labels to its most wrong one."""
    gold, predicted = (np.asarray(labels) for labels in test.compared("accuracy"))
    sureness = np.maximum(test.outputs, 1 - test.outputs) if gold.ndim == 2 else test.outputs
    if gold.ndim == 2:
        sureness = np.where(gold != predicted, sureness, 0.0)
    wrong = (gold != predicted).reshape(len(gold), -1).any(axis=1)
    numbers = sureness.max(axis=1)
    expected = [label_text(label) for label in test.rows["label"].to_pylist()]
    given = [label_text(answer) for answer in test.predictions.answers]
    return _examples(test, "mistakes", "probability", _ranked(wrong, -numbers), expected, given, numbers)


def _largest_errors(test: Evaluated) -> Examples:
    gold, predicted = (np.asarray(values, dtype=float) for values in test.compared("mse"))
    errors = np.abs(gold - predicted)
    expected, given = ([f"{value:.4g}" for value in values] for values in (gold, predicted))
    return _examples(test, "worst", "error", _ranked(errors > 0, -errors), expected, given, errors)


def _missed_entities(test: Evaluated) -> Examples:
    """Rows by their F1; of those with nothing right, the one with the most entities first."""
    gold, predicted = ([{span_of(span) for span in row} for row in rows] for rows in test.compared("seqeval_f1"))
    counts = [(len(true & found), len(true), len(found)) for true, found in zip(gold, predicted, strict=True)]
    right, true, found = np.array(counts).T
    missed, scores = true + found - 2 * right, f1(right, true, found)
    texts = test.rows["text"].to_pylist()
    expected, given = (
        [entities_text(text, spans) for text, spans in zip(texts, rows, strict=True)] for rows in (gold, predicted)
    )
    return _examples(test, "worst", "entity F1", _ranked(missed > 0, scores, -missed), expected, given, scores)


def _missed_answers(test: Evaluated) -> Examples:
    gold, predicted = test.compared("squad_f1")
    scores = per_row("squad_f1", gold, predicted)
    assert scores is not None
    expected = [" | ".join(dict.fromkeys(answers)) or NOTHING for answers in gold]
    given = [answer or NOTHING for answer in predicted]
    return _examples(test, "worst", "answer F1", _ranked(scores < 1, scores), expected, given, scores)


def _generations(test: Evaluated) -> Examples:
    """The first rows that text was generated for; chrF is defined for every text in every script."""
    expected, given = test.rows["label"].to_pylist(), test.predictions.answers
    generated = np.array([answer is not None for answer in given])
    ranked = np.flatnonzero(generated)
    numbers = {row: point("chrf", [expected[row]], [given[row]]) for row in ranked[:MOST]}
    return _examples(test, "sample", "chrF", ranked, expected, given, numbers)


def _ranked(chosen: np.ndarray, *keys: np.ndarray) -> np.ndarray:
    """The chosen rows by the first key, where that is equal by the next."""
    order = np.lexsort(keys[::-1])
    return order[chosen[order]]


def _examples(
    test: Evaluated,
    kind: Literal["mistakes", "worst", "sample"],
    number: str,
    ranked: np.ndarray,
    expected: Sequence[str],
    given: Sequence[str],
    numbers: Sequence[float] | Mapping[int, float] | np.ndarray,
) -> Examples:
    shown = [int(row) for row in ranked[:MOST]]
    texts = inputs(test, shown)
    rows = [Example(text, expected[r], given[r], float(numbers[r])) for text, r in zip(texts, shown, strict=True)]
    return Examples(kind, number, len(ranked), tuple(rows))
