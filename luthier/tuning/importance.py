"""How much each searched field decided the score."""

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

# Fewer complete trials say nothing.
LEAST = 4


def importances(study: optuna.Study, *, seed: int) -> dict[str, float]:
    """Shares that add up to 1, by field; empty where too few trials, or equal scores, say nothing.

    Functional ANOVA (Hutter et al. 2014, ICML 32, 754-762), of the fields that all complete trials have.
    """
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(done) < LEAST or len({trial.value for trial in done}) == 1:
        return {}
    common = set.intersection(*(set(trial.params) for trial in done))
    varied = sorted(name for name in common if len({str(trial.params[name]) for trial in done}) > 1)
    if not varied:
        return {}
    return dict(get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed), params=varied))
