"""Whether two forms of one model answer alike on real rows."""

from dataclasses import dataclass

import numpy as np

from luthier.errors import ParityError

# float32 sums in another order: seen up to 1e-5 on logits of size 5.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Parity:
    """Agreement of probabilities (rows x classes) with the reference."""

    form: str
    rows: int
    agreeing: int
    largest_difference: float


def require_parity(form: str, reference: np.ndarray, received: np.ndarray, *, tolerance: float = TOLERANCE) -> Parity:
    """Compares probabilities of shape (rows, classes) row by row.

    Raises:
        ParityError: a predicted class differs although the reference was not tied, or a probability does beyond
            ``tolerance``.
    """
    difference = float(np.abs(reference - received).max())
    top = np.sort(reference, axis=1)
    tied = top[:, -1] - top[:, -2] <= 2 * tolerance
    agree = (reference.argmax(axis=1) == received.argmax(axis=1)) | tied
    parity = Parity(form, len(reference), int(agree.sum()), difference)
    if difference > tolerance or not agree.all():
        raise ParityError(
            f"the {form} model does not answer as the trained one",
            received=f"{parity.rows - parity.agreeing} of {parity.rows} predictions differ, "
            f"probabilities by up to {difference:.2e} (allowed: {tolerance:.0e})",
            remedy="nothing was deployed; please report this with the recipe",
        )
    return parity
