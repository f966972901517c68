"""What a study says in words: one wording for the page, Dagster and the terminal."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from luthier.comparison.wording import duration
from luthier.evaluation.wording import listed, metric_name, places
from luthier.tuning.result import OWN, StudyResult, TrialResult
from luthier.tuning.space import Dimension

STATES = ("complete", "pruned", "failed", "killed", "running")
ABSENT = "–"


def own_trial(result: StudyResult) -> TrialResult | None:
    """The trial of the recipe's own values, if there is one; of several the one that came furthest."""
    own = [trial for trial in result.trials if trial.origin == OWN]
    return min(own, key=lambda trial: (trial.state != "complete", trial.score is None), default=None)


def headline(result: StudyResult) -> str:
    """``Best validation accuracy 0.861 in trial 7 of 12; the recipe's own values had 0.846.``"""
    best, own, tied = result.best, own_trial(result), tied_trials(result)
    score = f"validation {metric_name(result.metric)} {score_text(result, best)}"
    if own is not None and own.state == "complete" and own.score == best.score:
        return _own_is_best(result, own, score)
    place = f"trials {listed([str(trial.number) for trial in tied])} alike" if tied[1:] else f"trial {best.number}"
    if not tied[1:]:
        place += f" of {len(result.trials)}"
    return f"Best {score} in {place}{_own_clause(result, own)}."


def _own_is_best(result: StudyResult, own: TrialResult, score: str) -> str:
    others = [trial for trial in tied_trials(result) if trial.number != own.number]
    if len(scored(result)) == 1:
        return f"Only the recipe's own values were trained to the end: {score} in trial {own.number}."
    said = f"No trial was better than the recipe's own values: {score} in trial {own.number} of {len(result.trials)}."
    if not others:
        return said
    same = listed([str(trial.number) for trial in others])
    return f"{said} {'Trial' if len(others) == 1 else 'Trials'} {same} came to the same."


def _own_clause(result: StudyResult, own: TrialResult | None) -> str:
    if own is None:
        return ""
    if own.state == "complete":
        return f"; the recipe's own values had {score_text(result, own)}"
    if own.state == "pruned" and own.score is not None:
        return f"; the recipe's own values were pruned at step {own.steps:,}, with {score_text(result, own)} until then"
    came_to = {"pruned": "were pruned", "failed": "failed", "killed": "were killed", "running": "are still running"}
    return f"; the recipe's own values {came_to.get(own.state, 'have no score')}"


def scored(result: StudyResult) -> list[TrialResult]:
    """The trials that were trained to the end."""
    return [trial for trial in result.trials if trial.state == "complete" and trial.score is not None]


def tied_trials(result: StudyResult) -> list[TrialResult]:
    """The trials with the best score, to the last bit."""
    return [trial for trial in scored(result) if trial.score == result.best.score]


def states_sentence(result: StudyResult) -> str:
    """``8 pruned, 3 complete, 1 failed``: the most frequent first."""
    counts = Counter(trial.state for trial in result.trials)
    ordered = sorted(counts, key=lambda state: (-counts[state], STATES.index(state)))
    return ", ".join(f"{counts[state]} {state}" for state in ordered)


def scope_sentence() -> str:
    """What the scores are of."""
    return (
        "Scores are of the validation rows, which picked each trial's checkpoint and the best trial: that flatters "
        "the best. The test split was not read."
    )


def space_sentence(result: StudyResult) -> str:
    """Where the space came from."""
    if result.revisions:
        return f"Round {result.round} searched another space than the round before:"
    if result.round > 1:
        return f"Round {result.round} searched the same space as the round before."
    return "The first round: the space is the recipe's, or the method's own where the recipe has none."


def score_digits(result: StudyResult) -> int:
    """Decimals at which no worse score reads like the best one, if two more than usual suffice for that."""
    best = result.best.score or 0.0
    first = places(result.metric, best)
    worse = [trial.score for trial in scored(result) if trial.score is not None and trial.score != best]
    for digits in range(first, first + 2):
        if all(f"{score:.{digits}f}" != f"{best:.{digits}f}" for score in worse):
            return digits
    return first + 2


def score_text(result: StudyResult, trial: TrialResult) -> str:
    """The trial's score, with the decimals that this study needs."""
    if trial.score is None:
        return ABSENT
    more = score_digits(result) - places(result.metric, result.best.score or 0.0)
    # A score of another size than the best has decimals of its own: 20.1 beside 12,345.
    return f"{trial.score:,.{places(result.metric, trial.score) + more}f}"


def steps_text(trial: TrialResult) -> str:
    """``120``, or ``40 of 120`` where the trial ended before its time."""
    return f"{trial.steps:,}" if trial.steps >= trial.max_steps else f"{trial.steps:,} of {trial.max_steps:,}"


def value_text(value: Any) -> str:
    """A value as recipes have it: ``true``, ``null``, ``0.000312``, ``all-linear``."""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(value_text, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def trial_value(trial: TrialResult, field: str) -> str:
    """The trial's value of a field; a dash where it was not searched."""
    return value_text(trial.values[field]) if field in trial.values else ABSENT


def searched_text(dimension: Dimension) -> str:
    """``1e-05 to 0.01, log``, ``4, 8 or 16, where init is true``"""
    if dimension.is_range:
        text = f"{value_text(dimension.low)} to {value_text(dimension.high)}"
        text += ", log" if dimension.log else ""
        text += ", whole numbers" if dimension.integer else ""
    else:
        text = either(dimension.choices)
    return f"{text}, {condition}" if (condition := condition_text(dimension)) else text


def condition_text(dimension: Dimension) -> str:
    """``where init is true``; empty where there is no condition."""
    conditions = [f"{_short(field)} is {either(values)}" for field, values in dimension.when.items()]
    return f"where {' and '.join(conditions)}" if conditions else ""


def either(values: Iterable[Any]) -> str:
    """``4, 8 or 16``"""
    *most, last = map(value_text, values)
    return f"{', '.join(most)} or {last}" if most else last


def short_names(fields: Iterable[str]) -> dict[str, str]:
    """Each dotted field without its section, where no other is then called so."""
    names = list(fields)
    short = {field: _short(field) for field in names}
    counts = Counter(short.values())
    return {field: short[field] if counts[short[field]] == 1 else field for field in names}


def _short(field: str) -> str:
    return field.partition(".")[2] or field


def trial_rows(result: StudyResult) -> list[dict[str, str]]:
    """The trials in the order of their numbers, as a table's cells by their headings."""
    metric, names = metric_name(result.metric), short_names(dimension.field for dimension in result.space)
    return [
        {
            "trial": str(trial.number),
            "origin": trial.origin,
            "state": trial.state,
            metric: score_text(result, trial),
            "steps": steps_text(trial),
            "pruned at": f"{trial.steps:,}" if trial.state == "pruned" else ABSENT,
            "time": duration(trial.seconds),
            **{names[field]: trial_value(trial, field) for field in names},
            "diagnosis": trial.diagnosis or ABSENT,
            "failure": trial.failure or ABSENT,
        }
        for trial in result.trials
    ]


def value_rows(result: StudyResult) -> list[dict[str, str]]:
    """Each searched field: what was tried, the recipe's own value, the best trial's, and how much it mattered."""
    own, rows = own_trial(result), []
    for dimension in result.space:
        field = dimension.field
        share = result.importances.get(field)
        rows.append(
            {
                "field": field,
                "searched": searched_text(dimension),
                "recipe": ABSENT if own is None else trial_value(own, field),
                "best": trial_value(result.best, field),
                "importance": ABSENT if share is None else f"{100 * share:.0f} %",
            }
        )
    return rows
