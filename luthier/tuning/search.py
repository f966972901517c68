"""What suggests values and what ends trials early: Optuna's, by the names that recipes have for them."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import optuna

from luthier.recipe.tuning_section import TuningSection
from luthier.tuning.database import superseded
from luthier.tuning.space import Space
from luthier.tuning.trial_training import FACTOR

# The percentage of a training at which pruners judge first.
FIRST = 100 // FACTOR**2
# A score counts for a rung when it is from no later than this times where the rung lies.
NEAR = 2
# Trials that TPE draws at random before it models anything. Those that start a study count.
RANDOM_TRIALS = 4
# Finished trials before the median says anything.
MEDIAN_TRIALS = 3


def sampler(tuning: TuningSection, space: Space, trial: int) -> optuna.samplers.BaseSampler:
    """The sampler of one trial, seeded by its number: a study that was interrupted suggests what it would have."""
    seed = (tuning.seed + trial) % 2**32
    samplers: dict[str, Callable[[], optuna.samplers.BaseSampler]] = {
        "tpe": lambda: optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=RANDOM_TRIALS, multivariate=True, group=True
        ),
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
        "grid": lambda: optuna.samplers.GridSampler({d.field: d.grid() for d in space}, seed=tuning.seed),
        "cmaes": lambda: optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
        "gp": lambda: optuna.samplers.GPSampler(seed=seed, n_startup_trials=RANDOM_TRIALS),
    }
    with warnings.catch_warnings():
        # Searching under conditions is one that Optuna calls experimental.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return samplers[tuning.sampler]()


def grid_is_used_up(tuning: TuningSection, space: Space, study: optuna.Study) -> bool:
    """Whether every point of a grid was tried; of other samplers there is none."""
    found = sampler(tuning, space, 0) if tuning.sampler == "grid" else None
    return isinstance(found, optuna.samplers.GridSampler) and found.is_exhausted(study)


def pruner(tuning: TuningSection) -> optuna.pruners.BasePruner:
    """Steps are percentages of a trial's own training."""
    pruners: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
        "successive_halving": lambda: optuna.pruners.SuccessiveHalvingPruner(
            min_resource=FIRST, reduction_factor=FACTOR
        ),
        "hyperband": lambda: optuna.pruners.HyperbandPruner(
            min_resource=FIRST, max_resource=100, reduction_factor=FACTOR
        ),
        "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=MEDIAN_TRIALS),
        "none": optuna.pruners.NopPruner,
    }
    return OfCountedTrials(pruners[tuning.pruner]())


class OfCountedTrials(optuna.pruners.BasePruner):
    """A pruner that sees no trial that was killed and is tried again: its scores would count twice."""

    def __init__(self, pruner: optuna.pruners.BasePruner) -> None:
        self.pruner = pruner

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        return self.pruner.prune(_CountedStudy(study), trial)


class _CountedStudy:
    def __init__(self, study: optuna.Study) -> None:
        self.study = study

    def get_trials(self, deepcopy: bool = True, states: Any = None) -> list[optuna.trial.FrozenTrial]:
        """Those that count."""
        gone = superseded(self.study.get_trials(deepcopy=False))
        return [trial for trial in self.study.get_trials(deepcopy, states) if trial.number not in gone]

    @property
    def trials(self) -> list[optuna.trial.FrozenTrial]:
        return self.get_trials()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.study, name)


def rung_marks(tuning: TuningSection, standings: Mapping[int, float]) -> dict[str, float]:
    """What successive halving knows of a trial that reported these scores by percentage, as it keeps it itself.

    A score from much later in a training than others are judged by is no match for theirs.
    """
    if tuning.pruner != "successive_halving":
        return {}
    marks: dict[str, float] = {}
    for rung, threshold in enumerate((FIRST, FIRST * FACTOR, FIRST * FACTOR**2)):
        near = [percent for percent in standings if threshold <= percent < threshold * NEAR]
        if near:
            marks[f"completed_rung_{rung}"] = standings[min(near)]
    return marks
