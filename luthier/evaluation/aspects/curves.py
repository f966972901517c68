"""How well probabilities tell rows with a label from rows without it, whatever the threshold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from luthier.errors import UndefinedMetricError
from luthier.evaluation.examination import Examination
from luthier.evaluation.labels import indicators
from luthier.evaluation.metrics.order import ranking
from luthier.evaluation.metrics.statistic import resamples
from luthier.evaluation.ranking_curves import Drawn, drawn_curve, ranking_curves
from luthier.evaluation.scores import Score
from luthier.evaluation.style import Form

MOST_LISTED = 20
# Of these the best and the worst, half and half.
MOST_DRAWN = 6
RESAMPLES, LEAST_RESAMPLES = 1000, 200
# Rows x labels x resamples: some ten seconds.
CELLS = 50_000_000


@dataclass(frozen=True)
class Ranking:
    """A label held against the rest; ``rows`` have it."""

    label: str
    rows: int
    average_precision: Score
    roc_auc: Score


@dataclass(frozen=True)
class Curves:
    """The labels by average precision, the worst first, and no more than 20 of the ``among``.

    ``average_precision`` and ``roc_auc`` are means over all of them. ``unjudged`` are labels that all test rows have
    or none. ``drawn`` are the best and the worst few, the best first.
    """

    labels: tuple[Ranking, ...]
    among: int
    average_precision: Score
    roc_auc: Score
    unjudged: tuple[str, ...]
    drawn: tuple[Drawn, ...]


def examine(given: Examination) -> Curves | None:
    """One curve for each label against the rest; None for tasks whose answers are no classes.

    Raises:
        UndefinedMetricError: no label has rows with and without it.
    """
    head = given.test.head
    if head.problem not in ("single_label_classification", "multi_label_classification"):
        return None
    gold, outputs = np.asarray(given.test.compared("accuracy")[0]), given.test.outputs
    return curves(indicators(gold, len(head.labels)).astype(bool), outputs, head.labels, given.confidence)


def curves(members: np.ndarray, outputs: np.ndarray, names: tuple[str, ...], confidence: float) -> Curves:
    """``members`` says who has which label, ``outputs`` how probable that was (both rows x labels)."""
    support = members.sum(axis=0)
    judged = np.flatnonzero((support > 0) & (support < len(members)))
    if not len(judged):
        raise UndefinedMetricError("undefined: no label has rows with and without it", where="precision and recall")
    members, outputs = members[:, judged], outputs[:, judged]
    points, drawn = _resampled(members, outputs)
    bounds = _bounds(drawn, confidence)
    macro = _scores(points.mean(axis=0), _bounds(np.nanmean(drawn, axis=1), confidence))
    order = np.argsort(points[:, 0], kind="stable")
    of_labels = [Ranking(names[judged[p]], int(support[judged[p]]), *_scores(points[p], bounds[:, p])) for p in order]
    best, worst = order[::-1][: -(-MOST_DRAWN // 2)], order[: MOST_DRAWN // 2][::-1]
    chosen = order[::-1] if len(order) <= MOST_DRAWN else [*best, *worst]
    return Curves(
        labels=tuple(of_labels[:MOST_LISTED]),
        among=len(judged),
        average_precision=macro[0],
        roc_auc=macro[1],
        unjudged=tuple(name for place, name in enumerate(names) if place not in judged)[:MOST_LISTED],
        drawn=tuple(drawn_curve(names[judged[p]], members[:, p], outputs[:, p]) for p in chosen),
    )


def _resampled(members: np.ndarray, outputs: np.ndarray, seed: int = 17) -> tuple[np.ndarray, np.ndarray]:
    """Average precision and area of each label (labels x 2), and of resampled rows (resamples x labels x 2)."""
    orders = [ranking(*label) for label in zip(members.T, outputs.T, strict=True)]
    once = np.ones(len(members), dtype=int)
    number = int(np.clip(CELLS // members.size, LEAST_RESAMPLES, RESAMPLES))
    # A row of several labels has no one class to be drawn within.
    strata = members.argmax(axis=1) if (members.sum(axis=1) == 1).all() else None
    found = [np.stack([order(draws) for order in orders], axis=1) for draws in resamples(once, strata, number, seed)]
    return np.stack([order(once) for order in orders]), np.concatenate(found)


def _bounds(drawn: np.ndarray, confidence: float) -> np.ndarray:
    """The low and the high end of each interval (2 x ...)."""
    return np.nanquantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)


def _scores(values: np.ndarray, bounds: np.ndarray) -> tuple[Score, Score]:
    of_each = (
        Score(float(value), float(min(low, value)), float(max(high, value)))
        for value, low, high in zip(values, *bounds, strict=True)
    )
    precision, area = of_each
    return precision, area


def pictures(found: Curves) -> Mapping[str, Callable[[Form], bytes]]:
    """Both curves, side by side."""
    return {"curves": partial(_picture, found)}


def _picture(found: Curves, form: Form) -> bytes:
    return ranking_curves(found.drawn, form=form)
