"""Fitting a calibration on validation rows: the temperature by likelihood, thresholds by each label's F1."""

import logging
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_expit, log_softmax, logit

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.metrics.statistic import f1
from luthier.tasks.calibration import PROBABLE, SMALLEST, Calibration

log = logging.getLogger(__name__)

# Fewer validation rows, or rows with and without a label, say too little to move what a model answers.
LEAST_ROWS, LEAST_OF_LABEL = 50, 10
# Logits are multiplied by a twentieth at least, by twenty at most.
REACH = float(np.log(20))


def fitted(validation: Evaluated) -> Calibration:
    """The calibration of a sequence classifier's answers; that of other heads, and of few rows, changes nothing.

    The temperature has the greatest likelihood: Guo et al. (2017), arXiv 1706.04599.
    """
    problem = validation.head.problem
    if len(validation.rows) < LEAST_ROWS or problem in (None, "regression"):
        return Calibration()
    gold, outputs = np.asarray(validation.compared("accuracy")[0]), validation.outputs.astype(np.float64)
    if problem == "single_label_classification":
        logits, rows = np.log(np.maximum(outputs, SMALLEST)), np.arange(len(gold))
        found = Calibration(_most_likely(lambda scale: log_softmax(logits * scale, axis=1)[rows, gold]))
    else:
        logits = logit(np.clip(outputs, SMALLEST, 1 - SMALLEST)) * np.where(gold == 1, 1, -1)
        temperature = _most_likely(lambda scale: log_expit(logits * scale))
        tempered = Calibration(temperature).applied(validation.predictions, validation.head)
        found = Calibration(temperature, _thresholds(gold, np.stack(list(tempered.evidence))))
    log.info("calibrated on %d validation rows: temperature %.3f", len(validation.rows), found.temperature)
    return found


def _most_likely(log_likelihoods: Callable[[float], np.ndarray]) -> float:
    """The temperature at which the rows' labels are likeliest; 1 where none is better."""
    best = minimize_scalar(
        lambda power: -log_likelihoods(float(np.exp(-power))).mean(), bounds=(-REACH, REACH), method="bounded"
    )
    found = float(np.exp(best.x))
    return found if log_likelihoods(1 / found).mean() > log_likelihoods(1.0).mean() else 1.0


def _thresholds(members: np.ndarray, probabilities: np.ndarray) -> tuple[float, ...]:
    """For each label the threshold of the greatest F1, halfway between two probabilities that were found.

    ``members`` are 0 and 1 (rows x labels). A label that few rows have, or lack, keeps 0.5.
    """
    return tuple(_threshold(*label) for label in zip(members.T, probabilities.T, strict=True))


def _threshold(members: np.ndarray, probabilities: np.ndarray) -> float:
    if min(members.sum(), len(members) - members.sum()) < LEAST_OF_LABEL:
        return PROBABLE
    order = np.argsort(-probabilities, kind="stable")
    ranked, right = probabilities[order], np.cumsum(members[order])
    scores = f1(right, members.sum(), np.arange(1, len(members) + 1))
    # Rows of one probability are all above a threshold or all below it.
    last = np.append(ranked[:-1] != ranked[1:], True)
    place = int(np.argmax(np.where(last, scores, -1.0)))
    below = float(ranked[place + 1]) if place + 1 < len(ranked) else 0.0
    # As the probabilities that are held against it: halfway must not round to the lower one.
    halfway = ranked.dtype.type((float(ranked[place]) + below) / 2)
    return float(halfway if halfway > below else ranked[place])
