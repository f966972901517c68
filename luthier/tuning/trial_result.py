"""A trial as the database has it, read for people."""

from typing import Any

from optuna.trial import FrozenTrial, TrialState

from luthier.tuning.result import SAMPLED, State, TrialResult
from luthier.tuning.space import Space, decoded

STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}
KILLED = "its process was killed"


def trial_result(
    trial: FrozenTrial,
    space: Space,
    *,
    killed: bool = False,
    state: State | None = None,
) -> TrialResult:
    """What a trial came to; the ``state`` of one that is just ending is not in the database yet."""
    attributes = trial.user_attrs
    found = state or ("killed" if killed else STATES[trial.state])
    curve = tuple((int(step), float(value)) for step, value in attributes.get("curve", ()))
    failure = attributes.get("failure") or (KILLED if found in ("failed", "killed") else None)
    return TrialResult(
        number=trial.number,
        state=found,
        values=decoded(space, trial.params),
        score=attributes.get("score", trial.value),
        curve=curve,
        steps=attributes.get("step", 0),
        max_steps=attributes.get("max_steps", 0),
        seconds=_seconds(trial, attributes),
        origin=attributes.get("origin", SAMPLED),
        diagnosis=attributes.get("diagnosis"),
        failure=failure if found in ("failed", "killed") else None,
    )


def _seconds(trial: FrozenTrial, attributes: dict[str, Any]) -> float:
    if "seconds" in attributes or attributes.get("known"):
        return float(attributes.get("seconds", 0.0))
    return trial.duration.total_seconds() if trial.duration else 0.0
