"""How far probabilities are from what happens: confidences, and whether each answer was right (rows x answers).

Of a row with one label the answer is the likeliest class; of a row with several, each label is an answer of its own.
"""

import numpy as np

from luthier.evaluation.metrics.statistic import Statistic, mean, of_sums
from luthier.tasks.calibration import SMALLEST

BINS = 15


def answers(gold: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidences and outcomes; ``gold`` are ids (rows,) or indicators (rows x labels), ``outputs`` probabilities."""
    if gold.ndim == 2:
        return outputs.astype(float), gold.astype(float)
    right = outputs.argmax(axis=1) == gold
    return outputs.max(axis=1, keepdims=True).astype(float), right[:, None].astype(float)


def equal_width(bins: int = BINS) -> np.ndarray:
    """The edges of bins of one width."""
    return np.linspace(0, 1, bins + 1)


def equal_mass(confidences: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The edges of bins of as many answers each: Nixon et al. (2019), arXiv 1904.01685. Ties make some bins wider."""
    inner = np.quantile(confidences, np.arange(1, bins) / bins)
    return np.unique(np.concatenate([[0.0], inner, [1.0]]))


def bin_of(confidences: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The bin of each confidence: a lower edge belongs to its bin, 1 to the last."""
    return np.clip(np.searchsorted(edges, confidences, side="right") - 1, 0, len(edges) - 2)


def calibration_error(confidences: np.ndarray, right: np.ndarray, edges: np.ndarray) -> Statistic:
    """Expected calibration error: Naeini et al. (2015), Guo et al. (2017), arXiv 1706.04599.

    The mean over answers of the gap between confidence and the share that is right, bin by bin.
    """
    rows, given = confidences.shape
    bins = len(edges) - 1
    places = np.arange(rows)[:, None] * bins + bin_of(confidences, edges)
    gaps = np.bincount(places.ravel(), weights=(confidences - right).ravel(), minlength=rows * bins)
    counted = np.hstack([gaps.reshape(rows, bins), np.full((rows, 1), given)])
    return of_sums(lambda sums: np.abs(sums[..., :-1]).sum(axis=-1) / sums[..., -1], counted)


def error_by_chance(
    confidences: np.ndarray, edges: np.ndarray, *, confidence: float, draws: int = 400, seed: int = 17
) -> float:
    """The calibration error that perfect probabilities exceed with ``1 - confidence``, on as many answers.

    Answers are drawn right as often as they claim: Broecker and Smith (2007), "Increasing the reliability of
    reliability diagrams", Weather and Forecasting 22, 651-661.
    """
    random, claimed = np.random.default_rng(seed), confidences.ravel()
    places = bin_of(claimed, edges)
    errors = [
        np.abs(np.bincount(places, weights=claimed - (random.random(len(claimed)) < claimed))).sum() / len(claimed)
        for _ in range(draws)
    ]
    return float(np.quantile(errors, confidence))


def brier(gold: np.ndarray, outputs: np.ndarray) -> Statistic:
    """Brier (1950): squared distance to what is true, summed over classes, or its mean over labels."""
    true = gold if gold.ndim == 2 else np.eye(outputs.shape[1])[gold]
    squares = (outputs.astype(float) - true) ** 2
    return mean(squares.mean(axis=1) if gold.ndim == 2 else squares.sum(axis=1))


def log_loss(gold: np.ndarray, outputs: np.ndarray) -> Statistic:
    """Negative log-likelihood of the true class, or its mean over labels, in nats."""
    outputs = outputs.astype(float)
    if gold.ndim == 2:
        return mean(-np.log(np.clip(np.where(gold == 1, outputs, 1 - outputs), SMALLEST, 1)).mean(axis=1))
    return mean(-np.log(np.clip(outputs[np.arange(len(gold)), gold], SMALLEST, 1)))
