"""Metrics of numbers: regression, and the likelihood of a text's tokens."""

from typing import Any

import numpy as np

from luthier.errors import UndefinedMetricError
from luthier.evaluation.metrics.inputs import paired
from luthier.evaluation.metrics.statistic import Statistic, mean, of_rows, of_sums, ratio

# Below it, relative to the mean, a spread is rounding: SciPy's own bound for a constant.
CONSTANT = 1e-13


def mse(gold: Any, predicted: Any) -> Statistic:
    """The mean squared error."""
    gold, predicted = paired(gold, predicted, "mse")
    return mean((gold.astype(float) - predicted) ** 2)


def pearson(gold: Any, predicted: Any) -> Statistic:
    """Pearson's correlation; 0 where every row gets the same prediction."""
    gold, predicted = paired(gold, predicted, "pearson")
    require_variation(gold, "pearson")
    return of_rows(lambda draws: correlation(draws, gold, predicted), len(gold))


def perplexity(gold: Any, predicted: Any) -> Statistic:
    """The exponential of the mean negative log-likelihood a token.

    ``gold`` are the numbers of tokens (rows,), ``predicted`` the summed negative log-likelihoods in nats (rows,). A
    row without tokens says nothing, and is left out.
    """
    counts, likelihoods = paired(gold, predicted, "perplexity")
    if not counts.any() or (counts < 0).any():
        raise UndefinedMetricError("undefined: there are no tokens", where="perplexity", remedy="rows with answers")
    matrix = np.stack([likelihoods, counts], axis=1)[counts > 0].astype(float)
    return of_sums(_perplexity, matrix, units=np.where(counts > 0, np.cumsum(counts > 0) - 1, -1))


def _perplexity(sums: np.ndarray) -> np.ndarray:
    # Infinity is refused where it is the value, and is an honest upper bound.
    with np.errstate(over="ignore"):
        return np.exp(sums[..., 0] / sums[..., 1])


def require_variation(gold: np.ndarray, metric: str) -> None:
    """Refuses a constant."""
    if (gold == gold[0]).all():
        raise UndefinedMetricError(
            "undefined: all rows have one value, and nothing correlates with a constant",
            where=metric,
            received=gold[0].item(),
            remedy="evaluate on rows of different values, or choose mse",
        )


def correlation(draws: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's correlation (...) of values (rows,) or (..., rows), each drawn so many times; 0 beside a constant."""
    draws = draws.astype(float)
    (x, x_spread), (y, y_spread) = _centred(draws, x), _centred(draws, y)
    return np.clip(ratio(np.einsum("...r,...r,...r->...", draws, x, y), x_spread * y_spread), -1.0, 1.0)


def _centred(draws: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences from the mean, and the root of their summed squares, 0 for a constant."""
    rows = draws.sum(axis=-1)
    centre = np.einsum("...r,...r->...", draws, values) / rows
    values = values - centre[..., None]
    spread = np.sqrt(np.einsum("...r,...r,...r->...", draws, values, values))
    return values, np.where(spread > CONSTANT * np.sqrt(rows) * np.abs(centre), spread, 0.0)
