"""What metrics are given, checked."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from luthier.errors import LuthierError


def finite(values: Any, what: str, metric: str) -> np.ndarray:
    """An array whose numbers are all finite."""
    values = np.asarray(values)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise LuthierError(f"undefined: a {what} is not finite", where=metric)
    return values


def paired(
    gold: Any, predicted: Any, metric: str, *, dimensions: Sequence[int] = (1,)
) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays of one shape and finite numbers."""
    gold, predicted = finite(gold, "label", metric), finite(predicted, "prediction", metric)
    if gold.shape != predicted.shape or gold.ndim not in dimensions:
        raise LuthierError(
            "labels and predictions must be arrays of one shape",
            where=metric,
            received=(gold.shape, predicted.shape),
            remedy=f"arrays of {' or '.join(map(str, dimensions))} dimensions",
        )
    return gold, predicted


def require_indicators(values: np.ndarray, metric: str) -> None:
    """Refuses anything but 0 and 1."""
    if not np.isin(values, (0, 1)).all():
        raise LuthierError("indicators of labels must be 0 or 1", where=metric)


def texts(values: Iterable[Any], what: str, metric: str) -> list[str]:
    """Texts and nothing else."""
    given = list(values)
    for value in given:
        if not isinstance(value, str):
            raise LuthierError(f"a {what} must be a text", where=metric, received=value)
    return given
