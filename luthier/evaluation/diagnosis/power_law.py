"""How an error falls with the number of rows: ``a + b * n ** -c``.

Figueroa et al. (2012), "Predicting sample size required for classification performance", BMC Medical Informatics 12:8,
who weigh points by their rows; Viering and Loog (2021), "The shape of learning curves", arXiv 2103.10948.
"""

from dataclasses import dataclass

import numpy as np

# Exponents that are tried: slower curves are hardly told from a line, faster ones have ended.
EXPONENTS = np.round(np.arange(0.02, 2.001, 0.01), 2)


@dataclass(frozen=True)
class PowerLaws:
    """Curves of errors, one for each fit (fits,); ``b`` is what more rows mend of the error at ``unit`` rows."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    unit: float

    def at(self, rows: float) -> np.ndarray:
        """The error at so many rows (fits,)."""
        return self.a + self.b * (rows / self.unit) ** -self.c


def power_laws(rows: np.ndarray, errors: np.ndarray) -> PowerLaws:
    """The curves of least weighted squares through ``errors`` (fits, points), neither part of an error below 0.

    ``rows`` (points,) weigh as many as they are. For each exponent the other two follow in closed form.
    """
    weights, unit = rows / rows.sum(), float(rows.max())
    powers = (rows / unit) ** -EXPONENTS[:, None]
    a, b = _least_squares(powers[:, None, :], errors[None, :, :], weights)
    left = (weights * (errors[None, :, :] - a[..., None] - b[..., None] * powers[:, None, :]) ** 2).sum(axis=-1)
    best = left.argmin(axis=0)
    fits = np.arange(errors.shape[0])
    return PowerLaws(a[best, fits], b[best, fits], EXPONENTS[best], unit)


def _least_squares(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``a`` and ``b`` of ``y = a + b * x``, both at least 0; the weights add up to 1."""
    mean_x, mean_y = (weights * x).sum(axis=-1), (weights * y).sum(axis=-1)
    spread = (weights * (x - mean_x[..., None]) ** 2).sum(axis=-1)
    together = (weights * (x - mean_x[..., None]) * (y - mean_y[..., None])).sum(axis=-1)
    b = np.maximum(0.0, together / spread)
    a = mean_y - b * mean_x
    through_zero = (weights * x * y).sum(axis=-1) / (weights * x**2).sum(axis=-1)
    return np.where(a < 0, 0.0, a), np.where(a < 0, through_zero, b)
