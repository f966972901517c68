"""Examinations of answered test splits, without a model."""

from pathlib import Path
from typing import Any

from luthier.evaluation.champion_comparison import ChampionAnswers
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.examination import Examination
from luthier.recipe.schema import EvaluationSection
from luthier.tasks.task import Inference, Predictions


def examination(test: Evaluated, **changed: Any) -> Examination:
    """Validation and training rows are the test's own unless given."""
    metric = test.task.metrics(test.label_kind)[0]
    facts = {
        "validation": test,
        "train": test.rows,
        "history": [],
        "model": Path("untuned"),
        "inference": Inference(64),
        "evaluation": EvaluationSection(metric=metric, target=0.5),
    }
    return Examination(test=test, **{**facts, **changed})


def champion(test: Evaluated, answers: list[Any], places: list[int]) -> ChampionAnswers:
    evidence = [test.predictions.evidence[place] for place in places]
    return ChampionAnswers("3", tuple(places), Predictions(answers, evidence))
