"""What is done to a classifier's outputs before they are an answer; it is stored with the model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from luthier.tasks.head import Head
from luthier.tasks.task import Predictions

if TYPE_CHECKING:
    import numpy as np

PROBABLE = 0.5
SMALLEST = 1e-12


@dataclass(frozen=True)
class Calibration:
    """A temperature that logits are divided by, and the probability from which each label is given.

    Temperature scaling: Guo et al. (2017), arXiv 1706.04599. ``thresholds`` go by label id and are there where a row
    may have several labels; without them it is 0.5 for each.
    """

    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()

    def applied(self, found: Predictions, head: Head) -> Predictions:
        """The answers and probabilities of a sequence classifier; those of other heads stay as they are."""
        if head.problem == "multi_label_classification":
            evidence = [_tempered_each(row, self.temperature) for row in found.evidence]
            return Predictions([self.labels(row, head) for row in evidence], evidence)
        if head.problem == "single_label_classification":
            return Predictions(found.answers, [_tempered(row, self.temperature) for row in found.evidence])
        return found

    def limits(self, head: Head) -> tuple[float, ...]:
        """The probability from which each label is given."""
        return self.thresholds or (PROBABLE,) * len(head.labels)

    def labels(self, probabilities: "np.ndarray", head: Head) -> list[str]:
        """The labels that are given at these probabilities (labels)."""
        rows = zip(head.labels, probabilities, self.limits(head), strict=True)
        return [label for label, probability, limit in rows if probability >= limit]


UNCALIBRATED: Final = Calibration()


def _tempered(probabilities: "np.ndarray", temperature: float) -> Any:
    """Softmax of the logits over the temperature; logarithms of probabilities are logits."""
    import numpy as np

    if temperature == 1:
        return probabilities
    logits = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST)) / temperature
    powers = np.exp(logits - logits.max())
    return (powers / powers.sum()).astype(np.float32)


def _tempered_each(probabilities: "np.ndarray", temperature: float) -> Any:
    """The same where each label has a probability of its own."""
    import numpy as np

    if temperature == 1:
        return probabilities
    inside = np.clip(probabilities.astype(np.float64), SMALLEST, 1 - SMALLEST)
    logits = np.log(inside / (1 - inside)) / temperature
    return (1 / (1 + np.exp(-logits))).astype(np.float32)
