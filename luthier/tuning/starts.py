"""The trials that a study begins with: to be trained first, or known from trainings before."""

from collections.abc import Mapping
from typing import Any

import optuna

from luthier.recipe.tuning_section import TuningSection
from luthier.tuning.result import TrialResult
from luthier.tuning.search import rung_marks
from luthier.tuning.space import Space, encoded
from luthier.tuning.trial_training import Standing
from luthier.tuning.tuning import Start


def add_start(study: optuna.Study, start: Start, space: Space, section: TuningSection) -> None:
    """Queues the values, or adds what is known of their training; values that are there already are no second start."""
    parameters = encoded(space, start.values)
    there = study.get_trials(deepcopy=False)
    if any(parameters in (trial.params, trial.system_attrs.get("fixed_params")) for trial in there):
        return
    if start.known is None or start.known.score is None:
        study.enqueue_trial(parameters, user_attrs={"origin": start.origin})
    else:
        study.add_trial(_finished(start.known, parameters, space, section, start.origin))


def _finished(
    known: TrialResult, parameters: Mapping[str, Any], space: Space, section: TuningSection, origin: str
) -> optuna.trial.FrozenTrial:
    standings = {Standing(step, known.max_steps, score).percent: score for step, score in known.curve}
    described = {"step": known.steps, "max_steps": known.max_steps, "curve": list(known.curve)}
    return optuna.create_trial(
        value=known.score,
        params=dict(parameters),
        distributions={d.field: d.distribution() for d in space if d.field in parameters},
        intermediate_values=standings,
        user_attrs={"origin": origin, "diagnosis": known.diagnosis, "known": True, **described},
        system_attrs=rung_marks(section, standings),
    )
