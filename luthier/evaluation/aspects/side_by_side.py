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
    generates, champion = given.test.head.is_language_model, given.champion
    if champion is None and not (generates and UNTUNED in given.test.baselines):
        return None
    beside = UNTUNED if champion is None else CHAMPION
    test, authors = _answered(given, beside)
    rows = len(test.rows)
    if not rows:
        return None
    number, mine = row_scores(test)
    gains = mine - row_scores(replace(test, predictions=authors[beside]))[1]
    shuffled = np.random.default_rng(17).permutation(rows).tolist()
    ranked = sorted(shuffled, key=lambda row: -gains[row])
    most = EXTREMES if generates else CHANGED

    def shown(chosen: Sequence[int]) -> tuple[Row, ...]:
        return _shown(test, authors, chosen, gains)

    return SideBySide(
        beside=beside,
        version=None if champion is None else champion.version,
        number=number,
        rows=rows,
        gained=int((gains > ROUNDING).sum()),
        lost=int((gains < -ROUNDING).sum()),
        sample=shown(shuffled[:SAMPLE]) if generates else (),
        gains=shown([row for row in ranked[:most] if gains[row] > ROUNDING]),
        losses=shown([row for row in ranked[::-1][:most] if gains[row] < -ROUNDING]),
    )


def _answered(given: Examination, beside: str) -> tuple[Evaluated, dict[str, Predictions]]:
    """The rows that the new model and the one ``beside`` it have answered, and the answers by author, the new last."""
    champion = given.champion
    places = list(range(len(given.test.rows)) if champion is None else champion.places)
    authors = {UNTUNED: given.test.baselines[UNTUNED].of(places)} if UNTUNED in given.test.baselines else {}
    if champion is not None:
        authors[CHAMPION] = champion.predictions
    test = given.test.chosen(places)
    pairs = zip(test.predictions.answers, authors[beside].answers, strict=True)
    both = [row for row, answers in enumerate(pairs) if None not in answers]
    test = test.chosen(both)
    return test, {**{author: found.of(both) for author, found in authors.items()}, TUNED: test.predictions}


def _shown(
    test: Evaluated, authors: Mapping[str, Predictions], rows: Sequence[int], gains: np.ndarray
) -> tuple[Row, ...]:
    texts, labels, head = test.rows["text"], test.rows["label"], test.head
    return tuple(
        Row(
            text=read,
            expected=expected_text(labels[row].as_py(), texts[row].as_py(), head),
            answers={name: answer_text(by.answers[row], texts[row].as_py(), head) for name, by in authors.items()},
            gain=float(gains[row]),
        )
        for row, read in zip(rows, inputs(test, rows), strict=True)
    )
