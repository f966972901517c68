"""What the literature expects of methods beside full fine-tuning, held against what was found.

LoRA: Hu et al. 2021, arXiv 2106.09685, table 2 (RoBERTa on GLUE, BitFit and adapters beside it). Bottleneck adapters:
Houlsby et al. 2019, arXiv 1902.00751. BitFit: Ben Zaken et al. 2022, arXiv 2106.10199. Prompt tuning: Ding et al.
2023, Nature Machine Intelligence 5, 220-235, doi 10.1038/s42256-023-00626-4.
"""

import math
from dataclasses import dataclass
from typing import Final

from luthier.comparison.comparison import MethodComparison, MethodResult

REFERENCES: Final = ("full", "lora")


@dataclass(frozen=True)
class Expectation:
    """Where a method should stand: ``low`` to ``high`` points (hundredths) above the reference."""

    kind: str
    place: str
    low: float
    high: float
    source: str
    encoders_only: bool = False


EXPECTATIONS: Final = (
    Expectation("lora", "within about a point", -1.5, 1.5, "Hu et al. 2021, arXiv 2106.09685, table 2"),
    Expectation("bottleneck", "within about a point", -1.5, 1.5, "Houlsby et al. 2019, arXiv 1902.00751"),
    Expectation("bitfit", "level or a little lower", -3.0, 0.5, "Hu et al. 2021, arXiv 2106.09685, table 2"),
    Expectation(
        "prompt", "well below", -math.inf, -3.0, "Ding et al. 2023, doi 10.1038/s42256-023-00626-4", encoders_only=True
    ),
)


@dataclass(frozen=True)
class Finding:
    """What was found of an expectation: ``points`` above the reference, ``least`` to ``most`` by the two intervals."""

    expectation: Expectation
    reference: str
    points: float
    least: float
    most: float

    @property
    def as_expected(self) -> bool:
        return self.expectation.low <= self.points <= self.expectation.high

    @property
    def may_be_chance(self) -> bool:
        """Whether the intervals leave room for what was expected."""
        return self.least <= self.expectation.high and self.most >= self.expectation.low


def findings(comparison: MethodComparison) -> tuple[Finding, ...]:
    """Every expectation that this comparison can be held against: none, where the metric has no points."""
    reference = reference_of(comparison)
    if reference is None or not math.isfinite(comparison.measured_by.high):
        return ()
    return tuple(
        _finding(expectation, found, reference)
        for expectation in EXPECTATIONS
        if (found := comparison.found(expectation.kind)) and found.kind != reference.kind
        if comparison.architecture == "encoder" or not expectation.encoders_only
    )


def reference_of(comparison: MethodComparison) -> MethodResult | None:
    """What methods are held against: full fine-tuning, or LoRA where that has no score."""
    return next((found for kind in REFERENCES if (found := comparison.found(kind))), None)


def _finding(expectation: Expectation, found: MethodResult, reference: MethodResult) -> Finding:
    score, other = found.score, reference.score
    apart = (score.value - other.value, score.low - other.high, score.high - other.low)
    return Finding(expectation, reference.kind, *(100 * difference for difference in apart))
