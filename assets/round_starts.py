"""What a round of tuning starts from: values that are known to be good, before a sampler suggests any."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assets.incumbent import registered_champion
from assets.round_plan import RoundPlan, own_value
from assets.studies import FinishedStudy
from luthier.errors import LuthierError
from resources.artifact_store import Artifact
from resources.tracking import Tracking

if TYPE_CHECKING:
    from luthier.tuning.result import TrialResult
    from luthier.tuning.space import Dimension
    from luthier.tuning.tuning import Start

log = logging.getLogger("luthier.tuning")

# Of each earlier round, so many trials are among the first of the next one.
BEST_BEFORE = 3


def starts_of(plan: RoundPlan, tracking: Tracking) -> "tuple[Start, ...]":
    """The recipe's own values, the champion's, and the best of the rounds before: what is known is not trained again.

    Values that the space has not are no start of it.
    """
    from luthier.tuning.result import CHAMPION, OWN
    from luthier.tuning.space import decoded, encoded
    from luthier.tuning.tuning import Start

    own = {dimension.field: own_value(plan.resolved, dimension.field) for dimension in plan.space}
    found = []
    for given, origin, known in (
        (own, OWN, None),
        *((values, CHAMPION, None) for values in _champion(plan, tracking)),
        *((trial.values, f"round {study.result.round}, trial {trial.number}", trial) for study, trial in _best(plan)),
    ):
        values = {**own, **given}
        if contained(plan.space, values):
            searched = decoded(plan.space, encoded(plan.space, values))
            found.append(Start(searched, origin, _known(plan, searched, origin) or known))
    return tuple(found)


def contained(space: "Sequence[Dimension]", values: Mapping[str, Any]) -> bool:
    """Whether the space has these values."""
    return all(dimension.contains(values[dimension.field]) for dimension in space if dimension.holds(values))


def _best(plan: RoundPlan) -> "Iterator[tuple[FinishedStudy, TrialResult]]":
    """The best complete trials of the rounds before, whose values the new space still searches as they were."""
    for study in reversed(plan.before):
        yield from ((study, trial) for trial in study.result.ranked[:BEST_BEFORE])


def _champion(plan: RoundPlan, tracking: Tracking) -> Iterator[dict[str, Any]]:
    """What the recipe's champion was trained with, of the fields that are searched, if it is of the same method."""
    from luthier.training.hyperparameters import read_hyperparameters

    artifacts = plan.artifacts
    try:
        champion = registered_champion(plan.resolved.model_name, artifacts, tracking)
        if champion is None or champion.adapter is None:
            return
        adapter = artifacts.open("adapter", champion.adapter)
        hyperparameters = artifacts.open("hyperparameters", adapter.manifest["inputs"]["hyperparameters"])
    except LuthierError as error:
        log.warning("the study starts without the champion's values: %s", error)
        return
    method, training, _ = read_hyperparameters(hyperparameters.folder)
    if method.kind == plan.resolved.recipe.method.kind:
        recipe = plan.resolved.recipe.model_copy(update={"method": method, "training": training})
        of_champion = replace(plan.resolved, recipe=recipe)
        yield {dimension.field: own_value(of_champion, dimension.field) for dimension in plan.space}


def _known(plan: RoundPlan, values: Mapping[str, Any], origin: str) -> "TrialResult | None":
    """What came of the training with these values, where it was done before."""
    found = plan.known(values)
    return None if found is None else _as_trial(*found, values, origin)


def _as_trial(adapter: Artifact, metric: str, values: Mapping[str, Any], origin: str) -> "TrialResult":
    from luthier.tuning.result import TrialResult

    facts = adapter.facts
    history = json.loads((adapter.folder / "history.json").read_text())
    return TrialResult(
        number=-1,
        state="complete",
        values=dict(values),
        score=facts["best_score"],
        curve=tuple((entry["step"], entry[f"eval_{metric}"]) for entry in history if f"eval_{metric}" in entry),
        steps=facts["steps"],
        max_steps=facts["steps"],
        seconds=0.0,
        origin=origin,
        diagnosis=facts["diagnosis"]["kind"],
    )
