"""How far a rounded form of a model may answer otherwise: a share of answers, and their probabilities."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from luthier.errors import ParityError
from luthier.packaging.parity import differences
from luthier.tasks.head import Head
from luthier.tasks.task import Predictions

# Of the evidence of an answer in a text, these are probabilities: of its start and of its end.
PROBABILITIES: Final = 2


@dataclass(frozen=True)
class Agreement:
    """Rounded answers beside those of the reference.

    ``answers`` are rows, or words where words are tagged; differences are of probabilities, or of numbers, relative to
    those above 1.
    """

    form: str
    answers: int
    agreeing: int
    share: float
    mean_difference: float
    largest_difference: float


def require_agreement(
    form: str,
    head: Head,
    expected: Predictions,
    received: Predictions,
    *,
    share: float,
    difference: float,
    remedy: str,
) -> Agreement:
    """Compares the answers and the probabilities of each row.

    A number agrees when it differs by no more than ``difference``.

    Raises:
        ParityError: fewer answers than ``share`` agree, a probability differs by more than ``difference``, or there is
            nothing to compare.
    """
    agreeing: list[bool] = []
    seen: list[float] = []
    for wanted, known, given, found in zip(
        expected.answers, expected.evidence, received.answers, received.evidence, strict=True
    ):
        apart = _apart(known, found, head)
        seen += apart.ravel().tolist()
        if head.kind == "token-classification":
            agreeing += (known.argmax(axis=-1) == found.argmax(axis=-1)).tolist()
        else:
            agreeing.append(bool(apart.max() <= difference) if head.problem == "regression" else wanted == given)
    if not seen:
        raise ParityError(f"nothing shows that the {form} model answers as the trained one", remedy=remedy)
    found_share, largest = float(np.mean(agreeing)), max(seen)
    agreement = Agreement(form, len(agreeing), sum(agreeing), found_share, float(np.mean(seen)), largest)
    if found_share < share or not largest <= difference:
        raise ParityError(
            f"the {form} model answers too far from the trained one",
            received=f"{agreement.agreeing} of {agreement.answers} answers agree ({found_share:.1%}, at least "
            f"{share:.1%} must), the largest difference is {largest:.3f} (at most {difference:.3f})",
            remedy=f"nothing was deployed; {remedy}",
        )
    return agreement


def _apart(known: np.ndarray, found: np.ndarray, head: Head) -> np.ndarray:
    if known.shape == found.shape and head.kind == "question-answering":
        known, found = known[:PROBABILITIES], found[:PROBABILITIES]
    return differences(known, found)
