"""Trials in MLflow: each a nested run with its values, its curve, its state and how long it took."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resources.tracking import Tracking
from resources.tracking_run import TrackedRun

if TYPE_CHECKING:
    from luthier.tuning.result import TrialResult


@dataclass(frozen=True)
class TrialRun:
    """The record of one trial while it goes on."""

    run: TrackedRun

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        self.run.log_metrics(values, step=step)

    def ended(self, result: "TrialResult") -> None:
        """Its state, score and duration; where it was pruned, the step."""
        self.run.log_metrics({"seconds": result.seconds})
        if result.score is not None:
            self.run.log_metrics({"best_validation_score": result.score})
        self.run.set_tags({"luthier.trial_state": result.state})
        if result.state == "pruned":
            self.run.set_tags({"luthier.pruned_at_step": f"{result.steps} of {result.max_steps}"})
        if result.diagnosis:
            self.run.set_tags({"luthier.diagnosis": result.diagnosis})
        if result.failure:
            self.run.set_tags({"luthier.failure": result.failure})


@dataclass(frozen=True)
class TrialRecords:
    """Opens a run for each trial of one round."""

    tracking: Tracking
    dagster_run_id: str
    recipe: str
    round: int

    @contextmanager
    def opened(self, number: int, values: Mapping[str, Any], origin: str) -> Iterator[TrialRun]:
        """The run of a trial; what stops the trial fails its run."""
        with self.tracking.run(
            asset="tuning_study",
            name=f"1 trial {number:03d}",
            dagster_run_id=self.dagster_run_id,
            recipe=self.recipe,
            tags={"luthier.trial": str(number), "luthier.round": str(self.round), "luthier.origin": origin},
        ) as run:
            run.log_params(values)
            yield TrialRun(run)
