"""A finding: what is wrong, the numbers that say so, and what may mend it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Kind = Literal[
    "divergence",
    "overfitting",
    "underfitting",
    "noisy labels",
    "too little data",
    "label imbalance",
    "class confusion",
    "lucky validation",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Severity = Literal["high", "medium", "low"]
SEVERITIES: Final[tuple[Severity, ...]] = ("high", "medium", "low")


@dataclass(frozen=True)
class Finding:
    """``evidence`` and ``remedy`` are sentences; ``fields`` are those of a recipe that the remedy names.

    ``numbers`` are what the evidence rests on, by name.
    """

    kind: Kind
    severity: Severity
    evidence: str
    remedy: str
    fields: tuple[str, ...] = ()
    numbers: dict[str, float] = field(default_factory=dict)


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By severity; equals as they came."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
