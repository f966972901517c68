"""How much a score moves when nothing but the seed does: the same values on the same rows, trained again."""

from dataclasses import dataclass

from luthier.evaluation.examination import Examination
from luthier.evaluation.scores import point


@dataclass(frozen=True)
class SeedSpread:
    """Scores by the deciding metric by training seed, two at least."""

    metric: str
    scores: dict[int, float]

    @property
    def spread(self) -> float:
        """From the least value to the greatest."""
        return max(self.scores.values()) - min(self.scores.values())


def examine(given: Examination) -> SeedSpread | None:
    """The seeds that were evaluated on this test split; None where this is the first."""
    *earlier, now = given.reads.readings or (None,)
    if now is None:
        return None
    alike = [r for r in earlier if r.configuration == now.configuration and r.metric == now.metric]
    scores = {r.seed: r.value for r in alike if r.value is not None}
    scores[now.seed] = point(now.metric, *given.test.compared(now.metric))
    return SeedSpread(now.metric, dict(sorted(scores.items()))) if len(scores) > 1 else None
