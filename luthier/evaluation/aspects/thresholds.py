"""The probability from which each label is given, and what it gains over 0.5."""

from dataclasses import dataclass

import numpy as np

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.examination import Examination
from luthier.evaluation.labels import class_scores
from luthier.tasks.calibration import PROBABLE

MOST_LISTED = 20


@dataclass(frozen=True)
class LabelThreshold:
    """A label's threshold on validation, which chose it, and on test; F1 is None where no row has the label or gets it.

    ``rows`` are the validation rows that have it. ``chosen`` is False where those are too few: the threshold is 0.5.
    """

    label: str
    threshold: float
    chosen: bool
    rows: int
    validation_f1: float | None
    validation_f1_at_half: float | None
    test_f1: float | None
    test_f1_at_half: float | None


@dataclass(frozen=True)
class Thresholds:
    """The labels whose thresholds are farthest from 0.5, no more than 20 of the ``among``, in the labels' order.

    ``chosen`` says how many of those have a threshold of their own.
    """

    labels: tuple[LabelThreshold, ...]
    among: int
    chosen: int


def examine(given: Examination) -> Thresholds | None:
    """What the stored thresholds do; None where a row has one label, or too few rows to choose by."""
    limits = given.calibration.thresholds
    if not limits:
        return None
    validation, names = given.known.validation, given.test.head.labels
    columns = [_f1(part, at) for part in (validation, given.test) for at in (limits, (PROBABLE,) * len(names))]
    support = np.asarray(validation.compared("accuracy")[0]).sum(axis=0)
    found = [
        LabelThreshold(name, limit, limit != PROBABLE, int(rows), *scores)
        for name, limit, rows, *scores in zip(names, limits, support, *columns, strict=True)
    ]
    farthest = np.argsort([-abs(limit - PROBABLE) for limit in limits], kind="stable")[:MOST_LISTED]
    shown = tuple(found[place] for place in sorted(farthest))
    return Thresholds(shown, len(found), sum(label.chosen for label in found))


def _f1(rows: Evaluated, limits: tuple[float, ...]) -> list[float | None]:
    gold = np.asarray(rows.compared("accuracy")[0])
    given = (rows.outputs >= np.array(limits)).astype(int)
    return [label.f1 for label in class_scores(gold, given, rows.head.labels)]
