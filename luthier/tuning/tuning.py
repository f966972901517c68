"""One round of tuning: what it searches, what it starts from, and what it may cost."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from luthier.recipe.tuning_section import TuningSection
from luthier.tasks.metric import Metric
from luthier.training.job import FineTuning
from luthier.tuning.result import TrialResult
from luthier.tuning.space import Dimension


@dataclass(frozen=True)
class Start:
    """Values that are tried before the sampler says anything; ``known`` where their training was done before."""

    values: Mapping[str, Any]
    origin: str
    known: TrialResult | None = None


@dataclass(frozen=True)
class PreparedTrial:
    """The training that some values get. ``digest`` names what it would be stored as, ``work`` is where it goes on."""

    job: FineTuning
    work: Path
    digest: str


class TrialRecord(Protocol):
    """Where a trial is recorded while it goes on."""

    def metrics(self, values: Mapping[str, float], step: int) -> None: ...

    def ended(self, result: TrialResult) -> None: ...


@dataclass(frozen=True)
class Tuning:
    """``like`` is the training that the recipe's own values get; ``prepare`` gives that of others.

    ``record`` opens the record of a trial: its number, values and origin. ``seconds`` are what trials may take
    altogether, if there is a limit. ``lock`` is a file that processes of this machine share.
    """

    recipe: str
    study: str
    section: TuningSection
    space: tuple[Dimension, ...]
    starts: tuple[Start, ...]
    like: FineTuning
    storage: str
    lock: Path
    seconds: float | None
    prepare: Callable[[Mapping[str, Any]], PreparedTrial]
    record: Callable[[int, Mapping[str, Any], str], AbstractContextManager[TrialRecord]]

    @property
    def metric(self) -> Metric:
        """What trials are judged by, on validation rows."""
        return self.like.selection
