"""Whether two forms of one model answer alike on real rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from luthier.errors import ParityError
from luthier.tasks.calibration import UNCALIBRATED, Calibration
from luthier.tasks.head import Head
from luthier.tasks.task import Predictions

# float32 sums in another order: seen up to 1e-5 on logits of size 5.
TOLERANCE: Final = 1e-4


@dataclass(frozen=True)
class Parity:
    """Agreement with the reference; differences of numbers above 1 are relative to them.

    None is larger than ``tolerance``.
    """

    form: str
    rows: int
    agreeing: int
    largest_difference: float
    tolerance: float

    def __str__(self) -> str:
        agree = f"{self.form}: {self.agreeing} of {self.rows} agree"
        if not self.tolerance:
            return f"{agree} exactly"
        return f"{agree} within {self.tolerance:.0e}, the largest difference is {self.largest_difference:.1e}"


def require_parity(
    form: str,
    head: Head,
    expected: Predictions,
    received: Predictions,
    *,
    tolerance: float = TOLERANCE,
    calibration: Calibration = UNCALIBRATED,
) -> Parity:
    """Compares the answers and the evidence of each row.

    Raises:
        ParityError: an answer differs although the reference was not tied, or evidence does beyond ``tolerance``; or
            no row has evidence, so that nothing could differ.
    """
    if not any(known.size for known in expected.evidence):
        raise ParityError(
            f"nothing shows that the {form} model answers as the trained one",
            received=f"{len(expected.evidence)} validation rows without a probability or a likelihood",
            remedy="give validation rows that the model can learn from",
        )
    rows = list(zip(expected.answers, expected.evidence, received.answers, received.evidence, strict=True))
    apart = [largest_difference(known, found) for _, known, _, found in rows]
    agree = [
        difference <= tolerance and (wanted == given or is_tied(known, head, tolerance, calibration))
        for difference, (wanted, known, given, _) in zip(apart, rows, strict=True)
    ]
    return parity_of(form, apart, agree, tolerance)


def parity_of(form: str, apart: Sequence[float], agree: Sequence[bool], tolerance: float) -> Parity:
    """What was found of each row. Raises ParityError: not all agree, or there are none."""
    parity = Parity(form, len(agree), sum(agree), max(apart, default=0.0), tolerance)
    if not (agree and all(agree)):
        raise ParityError(
            f"the {form} model does not answer as its reference",
            received=f"{parity.rows - parity.agreeing} of {parity.rows} predictions differ, "
            f"their evidence by up to {parity.largest_difference:.2e} (allowed: {tolerance:.0e})",
            remedy="nothing was deployed; please report this with the recipe",
        )
    return parity


def differences(expected: np.ndarray, received: np.ndarray) -> np.ndarray:
    """Between numbers, relative to those above 1; infinite between other shapes, or where a number is none."""
    if expected.shape != received.shape:
        return np.array([np.inf])
    found = np.abs(expected - received) / np.maximum(1, np.abs(expected))
    return np.nan_to_num(found, nan=np.inf, posinf=np.inf)


def largest_difference(expected: np.ndarray, received: np.ndarray) -> float:
    """The largest of them; none where there is no number."""
    return float(differences(expected, received).max(initial=0.0))


def is_tied(evidence: np.ndarray, head: Head, tolerance: float, calibration: Calibration) -> bool:
    """Whether a difference within the tolerance may change the answer."""
    match head.problem or head.kind:
        case "regression":
            return True
        case "multi_label_classification":
            return bool((np.abs(evidence - calibration.limits(head)) <= tolerance).any())
        case "single_label_classification" | "token-classification":
            top = np.sort(evidence, axis=-1)
            return bool((top[..., -1] - top[..., -2] <= 2 * tolerance).any())
        case _:
            return False
