"""Question answering: which questions are answered well, and whether the model knows when there is no answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from luthier.evaluation.answer_kinds import LENGTHS, LONGEST, NO_ANSWER, answer_kind, answer_length, question_kind
from luthier.evaluation.answer_pictures import groups_picture, sweep_picture
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.examination import Examination
from luthier.evaluation.metrics.statistic import mean
from luthier.evaluation.paired import PairedDifference, paired_difference
from luthier.evaluation.scores import Score, per_row, score, score_of
from luthier.evaluation.style import Form

LENGTH_ORDER = (*(name for _, name in LENGTHS), LONGEST, NO_ANSWER)
# Points of the sweep, and the best and null score's places in the evidence.
POINTS, BEST, NULL = 40, 2, 3


@dataclass(frozen=True)
class Group:
    """Questions that have something in common."""

    name: str
    rows: int
    f1: Score
    exact_match: Score


@dataclass(frozen=True)
class NoAnswer:
    """How many questions have no answer (``wanted``), how many got none (``given``), and how many are both.

    ``precision`` is the share of given ones that are wanted, ``recall`` the share of wanted ones that are given.
    ``answerable`` are the questions that have an answer.
    """

    wanted: int
    given: int
    both: int
    precision: Score | None
    recall: Score | None
    answerable: Group | None


@dataclass(frozen=True)
class Threshold:
    """What would be, were an answer given only where it scores so much more than no answer.

    ``f1`` is of all rows; below 0 it is unknown: what would be answered there was not kept.
    """

    margin: float
    precision: float
    recall: float
    f1: float | None


@dataclass(frozen=True)
class Stricter:
    """The margin that is best for the validation rows, and how much answer F1 the test rows gain by it."""

    margin: float
    validation_gain: float
    test_gain: PairedDifference


@dataclass(frozen=True)
class Answers:
    """Answer F1 and exact match of all questions and of groups of them, by what they have in common."""

    whole: Group
    groups: dict[str, tuple[Group, ...]]
    no_answer: NoAnswer
    sweep: tuple[Threshold, ...]
    stricter: Stricter | None


def examine(given: Examination) -> Answers | None:
    """The answers of an extractive question answerer; None for other tasks."""
    if given.test.head.kind != "question-answering":
        return None
    judged = _Judged(given.test, given.confidence)
    first = [row[0] if row else None for row in judged.gold]
    asked = [question_kind(question) for question in given.test.rows["pair"].to_pylist()]
    everything = range(len(judged.gold))
    groups = {
        "length of the answer": judged.groups([answer_length(answer) for answer in first], LENGTH_ORDER.index),
        "question word": judged.groups(asked, lambda name: -asked.count(name)),
        "kind of answer": judged.groups(
            [answer_kind(answer) for answer in first], ["name", "date", "number", "other", NO_ANSWER].index
        ),
    }
    return Answers(
        whole=judged.group("all", everything),
        groups={by: found for by, found in groups.items() if len(found) > 1},
        no_answer=judged.no_answer(),
        sweep=_sweep(given.test),
        stricter=_stricter(given),
    )


def pictures(found: Answers) -> Mapping[str, Callable[[Form], bytes]]:
    """F1 by group, and precision and recall of no answer by the margin where that was swept."""
    drawn: dict[str, Callable[[Form], bytes]] = {}
    if found.groups:
        drawn["groups"] = lambda form: groups_picture(found, form)
    if found.sweep:
        drawn["sweep"] = lambda form: sweep_picture(found, form)
    return drawn


class _Judged:
    """Gold and given answers of a split."""

    def __init__(self, test: Evaluated, confidence: float) -> None:
        self.gold, self.found = test.compared("squad_f1")
        self._confidence = confidence
        self._given = [not answer.strip() for answer in self.found]

    def group(self, name: str, rows: Sequence[int]) -> Group:
        pairs = [self.gold[row] for row in rows], [self.found[row] for row in rows]
        scores = [score(metric, *pairs, confidence=self._confidence) for metric in ("squad_f1", "exact_match")]
        return Group(name, len(rows), *scores)

    def groups(self, names: Sequence[str], order: Callable[[str], int]) -> tuple[Group, ...]:
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(names):
            rows.setdefault(name, []).append(row)
        return tuple(self.group(name, rows[name]) for name in sorted(rows, key=order))

    def no_answer(self) -> NoAnswer:
        wanted = [not row for row in self.gold]
        both = sum(w and g for w, g in zip(wanted, self._given, strict=True))
        answerable = [row for row, without in enumerate(wanted) if not without]
        return NoAnswer(
            wanted=sum(wanted),
            given=sum(self._given),
            both=both,
            precision=self._share([w for w, g in zip(wanted, self._given, strict=True) if g]),
            recall=self._share([g for w, g in zip(wanted, self._given, strict=True) if w]),
            answerable=self.group("answerable", answerable) if 0 < len(answerable) < len(wanted) else None,
        )

    def _share(self, rows: Sequence[bool]) -> Score | None:
        return score_of(mean(rows, proportion=True), self._confidence) if rows else None


def _margins(test: Evaluated) -> np.ndarray | None:
    """How much more the best answer scores than none (rows,); None where rows with an answer or without are missing."""
    evidence = test.predictions.evidence
    without = sum(not row for row in test.compared("squad_f1")[0])
    if not 0 < without < len(evidence) or any(len(numbers) <= NULL for numbers in evidence):
        return None
    return np.array([numbers[BEST] - numbers[NULL] for numbers in evidence], dtype=float)


def _f1_of(test: Evaluated) -> tuple[np.ndarray, np.ndarray]:
    """The F1 of each answer, and that of no answer in its place (rows,)."""
    gold, found = test.compared("squad_f1")
    rows = per_row("squad_f1", gold, found)
    assert rows is not None
    return rows, np.array([float(not row) for row in gold])


def _sweep(test: Evaluated) -> tuple[Threshold, ...]:
    margins = _margins(test)
    if margins is None:
        return ()
    answered, withheld = _f1_of(test)
    without = withheld > 0
    found = []
    for margin in np.unique(np.append(np.quantile(margins, np.linspace(0.02, 0.98, POINTS)), 0.0)):
        none = margins < margin
        if none.any():
            f1 = float(np.where(none, withheld, answered).mean()) if margin >= 0 else None
            right = float((none & without).sum())
            found.append(Threshold(float(margin), right / none.sum(), right / without.sum(), f1))
    return tuple(found)


def _stricter(given: Examination) -> Stricter | None:
    """None where no margin is better for the validation rows than that which the model is served with."""
    learned, margins = _margins(given.known.validation), _margins(given.test)
    if learned is None or margins is None:
        return None
    answered, withheld = _f1_of(given.known.validation)
    above = learned[learned >= 0]
    if not len(above):
        return None
    tried = np.unique(np.quantile(above, np.linspace(0, 1, 200)))
    means = [float(np.where(learned < margin, withheld, answered).mean()) for margin in tried]
    if max(means) <= answered.mean():
        return None
    margin = float(tried[int(np.argmax(means))])
    gold, found = given.test.compared("squad_f1")
    changed = [answer if above else "" for answer, above in zip(found, margins >= margin, strict=True)]
    gain = paired_difference("squad_f1", (gold, changed), (gold, found), confidence=given.confidence)
    return Stricter(margin, max(means) - float(answered.mean()), gain)
