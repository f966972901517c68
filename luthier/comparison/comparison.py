"""What a comparison of methods found: each training measured, each method over its seeds, all of them side by side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from luthier.evaluation.scores import Score
from luthier.methods.shape import Architecture
from luthier.tasks.metric import METRICS, Metric


@dataclass(frozen=True)
class SeedResult:
    """One training. Sizes and memory in bytes; ``inference_seconds`` are for 1,000 validation rows.

    ``scored_rows`` are fewer than the split has where text is generated. ``file_bytes`` are those of what was trained:
    an adapter with its head, or all weights of full fine-tuning.
    """

    seed: int
    score: Score
    scored_rows: int
    parameters: int
    trainable_parameters: int
    peak_memory: int
    rows_per_second: float
    training_seconds: float
    inference_seconds: float
    file_bytes: int
    epochs: float
    diagnosis: str
    compute: dict[str, Any]
    processor: str
    digest: str

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "SeedResult":
        """The training that ``asdict`` made these values of."""
        return cls(**{**values, "score": Score(**values["score"])})


@dataclass(frozen=True)
class MethodResult:
    """A method and its trainings, by seed; ``failure`` says why there is no score."""

    kind: str
    method: dict[str, Any]
    training: dict[str, Any]
    seeds: tuple[SeedResult, ...] = ()
    failure: str | None = None

    @cached_property
    def score(self) -> Score:
        """The means of the seeds' values, lower and upper bounds: averaging would only narrow that interval."""
        scores = [found.score for found in self.seeds]
        return Score(*(fmean(getattr(score, end) for score in scores) for end in ("value", "low", "high")))

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the greatest value of a seed."""
        values = [found.score.value for found in self.seeds]
        return min(values), max(values)

    @property
    def trainable_parameters(self) -> int:
        """The same for every seed."""
        return self.seeds[0].trainable_parameters

    @property
    def trainable_share(self) -> float:
        """Of all the model's parameters, those that were added among them."""
        return self.trainable_parameters / self.seeds[0].parameters

    @property
    def peak_memory(self) -> int:
        """The most that any seed's training took, in bytes."""
        return max(found.peak_memory for found in self.seeds)

    @property
    def file_bytes(self) -> int:
        """The largest of the seeds' files."""
        return max(found.file_bytes for found in self.seeds)

    @property
    def rows_per_second(self) -> float:
        return self._mean(lambda found: found.rows_per_second)

    @property
    def training_seconds(self) -> float:
        return self._mean(lambda found: found.training_seconds)

    @property
    def inference_seconds(self) -> float:
        return self._mean(lambda found: found.inference_seconds)

    def _mean(self, of: Callable[[SeedResult], float]) -> float:
        return fmean(map(of, self.seeds))


@dataclass(frozen=True)
class MethodComparison:
    """One recipe's methods side by side; ``own`` is the recipe's. ``created`` is ISO 8601.

    ``rows`` counts those of train and validation, ``left_out`` says why a method was not tried.
    """

    recipe: str
    task: str
    own: str
    metric: str
    confidence: float
    family: str
    architecture: Architecture
    seeds: tuple[int, ...]
    rows: dict[str, int]
    methods: tuple[MethodResult, ...]
    left_out: dict[str, str]
    digests: dict[str, str]
    versions: dict[str, str]
    created: str

    @property
    def measured_by(self) -> Metric:
        return METRICS[self.metric]

    @cached_property
    def ranked(self) -> tuple[MethodResult, ...]:
        """The methods that were scored, the best first."""
        sign = -1 if self.measured_by.higher_is_better else 1
        scored = [found for found in self.methods if found.failure is None]
        return tuple(sorted(scored, key=lambda found: sign * found.score.value))

    @property
    def best(self) -> MethodResult:
        return self.ranked[0]

    @property
    def failed(self) -> dict[str, str]:
        """Why each method that was tried has no score."""
        return {found.kind: found.failure for found in self.methods if found.failure is not None}

    def found(self, kind: str) -> MethodResult | None:
        """The result of a method, if it was scored."""
        return next((found for found in self.ranked if found.kind == kind), None)
