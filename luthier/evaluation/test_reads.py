"""How often a test split was read, and what each reading costs the certainty of the next.

A model that is the best of several on one test split owes a part of its score to that split. Bonferroni's correction
holds for whatever the earlier scores led to: of ``n`` readings each interval is one of ``1 - (1 - confidence) / n``
(Dwork et al. 2015, "The reusable holdout", Science 349, 636-638, on why reuse is no independent test).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """One model's evaluation on a test split.

    ``configuration`` names its data, base, method and values but for the ``seed``; ``value`` is that of ``metric``,
    None where the evaluation never came to its end. ``at`` is ISO 8601.
    """

    recipe: str
    adapter: str
    configuration: str
    seed: int
    metric: str
    at: str
    value: float | None = None


@dataclass(frozen=True)
class TestReads:
    """The readings of one test split, this one last."""

    # Pytest takes classes of this name for tests.
    __test__ = False

    readings: tuple[Reading, ...]

    @property
    def number(self) -> int:
        """How many models were evaluated on it, this one too."""
        return max(1, len(self.readings))

    def corrected(self, confidence: float) -> float:
        """The confidence of each interval, for all of them to hold together with ``confidence``."""
        return 1 - (1 - confidence) / self.number


NEVER_READ = TestReads(())
