"""The same rows answered by the untuned base, the champion and the new model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.examination import Examination
from luthier.evaluation.metrics.statistic import f1
from luthier.evaluation.readable import answer_text, expected_text, inputs, span_of
from luthier.evaluation.scores import per_row, point
from luthier.tasks.task import Predictions

BASE: Final = "untuned base"
TUNED: Final = "fine-tuned"
CHAMPION: Final = "champion"
# Of generated texts a sample is shown, and the rows of the largest gains and losses; else those rows alone.
SAMPLE, EXTREMES, CHANGED = 10, 5, 10
ROUNDING = 1e-9


@dataclass(frozen=True)
class Row:
    """A test row and the answers to it by author; ``gain`` is what the new model has more than the other one."""

    text: str
    expected: str
    answers: dict[str, str]
    gain: float


@dataclass(frozen=True)
class SideBySide:
    """Test rows that the new model and the one it stands ``beside`` have both answered.

    ``number`` names what a gain is counted in; so many rows ``gained`` and ``lost`` some of it.
    """

    beside: str
    version: str | None
    number: str
    rows: int
    gained: int
    lost: int
    sample: tuple[Row, ...]
    gains: tuple[Row, ...]
    losses: tuple[Row, ...]


def examine(given: Examination) -> SideBySide | None:
    """Beside the champion; of generated texts beside the untuned base, where no champion was asked."""
    test, champion = given.test, given.champion
    generates = test.head.is_language_model
    if champion is not None:
        authors = {CHAMPION: champion.predictions}
        places, beside, version = list(champion.places), CHAMPION, champion.version
    elif generates and BASE in test.baselines:
        authors, places, beside, version = {}, list(range(len(test.rows))), BASE, None
    else:
        return None
    if BASE in test.baselines:
        authors = {BASE: _taken(test.baselines[BASE], places), **authors}
    found = _answered(test.chosen(places), authors, beside)
    if not found.rows:
        return None
    number, gains = _gains(found.test, found.authors[beside])
    shuffled = np.random.default_rng(17).permutation(found.rows).tolist()
    ranked = sorted(shuffled, key=lambda row: -gains[row])
    most = EXTREMES if generates else CHANGED

    def shown(rows: Sequence[int]) -> tuple[Row, ...]:
        return _shown(found, rows, gains)

    return SideBySide(
        beside=beside,
        version=version,
        number=number,
        rows=found.rows,
        gained=int((gains > ROUNDING).sum()),
        lost=int((gains < -ROUNDING).sum()),
        sample=shown(shuffled[:SAMPLE]) if generates else (),
        gains=shown([row for row in ranked[:most] if gains[row] > ROUNDING]),
        losses=shown([row for row in ranked[::-1][:most] if gains[row] < -ROUNDING]),
    )


@dataclass(frozen=True)
class _Answered:
    """Rows that all have answered: the new model in ``test``, the others by name."""

    test: Evaluated
    authors: Mapping[str, Predictions]

    @property
    def rows(self) -> int:
        return len(self.test.rows)


def _answered(test: Evaluated, authors: Mapping[str, Predictions], beside: str) -> _Answered:
    pairs = zip(test.predictions.answers, authors[beside].answers, strict=True)
    both = [row for row, answers in enumerate(pairs) if None not in answers]
    return _Answered(test.chosen(both), {author: _taken(found, both) for author, found in authors.items()})


def _taken(found: Predictions, rows: Sequence[int]) -> Predictions:
    return Predictions([found.answers[row] for row in rows], [found.evidence[row] for row in rows])


def _gains(test: Evaluated, other: Predictions) -> tuple[str, np.ndarray]:
    """What gains are counted in, and how much of it the new model has more for each row."""
    number, mine = _numbers(test)
    return number, mine - _numbers(replace(test, predictions=other))[1]


def _numbers(test: Evaluated) -> tuple[str, np.ndarray]:
    """How well each row is answered, and in what that is counted."""
    if test.head.problem == "regression":
        gold, found = (np.asarray(values, dtype=float) for values in test.compared("mse"))
        return "closeness", -np.abs(gold - found)
    if test.head.kind == "token-classification":
        return "entity F1", _entity_f1(*test.compared("seqeval_f1"))
    if test.head.is_language_model:
        pairs = zip(*test.compared("chrf"), strict=True)
        return "chrF", np.array([point("chrf", [wanted], [given]) for wanted, given in pairs])
    metric, number = {
        "question-answering": ("squad_f1", "answer F1"),
        "sequence-classification": ("accuracy", "accuracy"),
    }[test.head.kind]
    rows = per_row(metric, *test.compared(metric))
    assert rows is not None
    return number, rows


def _entity_f1(gold: Sequence[Any], predicted: Sequence[Any]) -> np.ndarray:
    """1 where there is nothing to find and nothing was found."""
    rows = [[{span_of(span) for span in spans} for spans in pair] for pair in zip(gold, predicted, strict=True)]
    right, true, found = np.array([(len(t & f), len(t), len(f)) for t, f in rows]).T
    return np.where(true + found == 0, 1.0, f1(right, true, found))


def _shown(found: _Answered, rows: Sequence[int], gains: np.ndarray) -> tuple[Row, ...]:
    test, head = found.test, found.test.head
    texts, labels = test.rows["text"], test.rows["label"]
    authors = {**found.authors, TUNED: test.predictions}
    return tuple(
        Row(
            text=read,
            expected=expected_text(labels[row].as_py(), texts[row].as_py(), head),
            answers={name: answer_text(by.answers[row], texts[row].as_py(), head) for name, by in authors.items()},
            gain=float(gains[row]),
        )
        for row, read in zip(rows, inputs(test, rows), strict=True)
    )
