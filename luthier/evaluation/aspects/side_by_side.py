"""The same rows answered by the untuned base, the champion and the new model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from luthier.evaluation.evaluated import TUNED, Evaluated
from luthier.evaluation.examination import Examination
from luthier.evaluation.readable import answer_text, expected_text, inputs
from luthier.evaluation.row_scores import ROUNDING, row_scores
from luthier.tasks.task import UNTUNED, Predictions

CHAMPION: Final = "champion"
# Of generated texts a sample is shown, and the rows of the largest gains and losses; else those rows alone.
SAMPLE, EXTREMES, CHANGED = 10, 5, 10


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
    elif generates and UNTUNED in test.baselines:
        authors, places, beside, version = {}, list(range(len(test.rows))), UNTUNED, None
    else:
        return None
    if UNTUNED in test.baselines:
        authors = {UNTUNED: _taken(test.baselines[UNTUNED], places), **authors}
    found = _answered(test.chosen(places), authors, beside)
    if not found.rows:
        return None
    number, mine = row_scores(found.test)
    gains = mine - row_scores(replace(found.test, predictions=found.authors[beside]))[1]
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
