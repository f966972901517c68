"""Scores of the test rows, and the verdict that follows from them."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from luthier.errors import LuthierError
from luthier.evaluation.aspects import UNEXAMINED, Aspects
from luthier.evaluation.champion_comparison import ChampionComparison
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.examples import chosen_examples
from luthier.evaluation.gate import conditions
from luthier.evaluation.labels import class_scores, confusion, indicators
from luthier.evaluation.paired import PairedDifference, paired_difference
from luthier.evaluation.report import EvaluationReport
from luthier.evaluation.scores import Score, score
from luthier.evaluation.test_reads import NEVER_READ, TestReads
from luthier.evaluation.wording import metric_name
from luthier.packaging.cost import ServingCost
from luthier.recipe.schema import EvaluationSection
from luthier.tasks.calibration import UNCALIBRATED, Calibration

log = logging.getLogger(__name__)

Found = TypeVar("Found", Score, PairedDifference)


def evaluate(
    test: Evaluated,
    evaluation: EvaluationSection,
    *,
    recipe: str,
    rows: Mapping[str, int],
    trainable_parameters: int,
    digests: Mapping[str, str],
    created: str,
    champion: ChampionComparison | None = None,
    reads: TestReads = NEVER_READ,
    calibration: Calibration = UNCALIBRATED,
    cost: ServingCost | None = None,
    aspects: Aspects = UNEXAMINED,
) -> EvaluationReport:
    """Scores the test rows; the verdict is ``met`` when every condition of the gate holds but that of the champion.

    Raises:
        LuthierError: these rows leave the deciding metric undefined; other metrics and baselines are then left out.
    """
    metric, confidence = evaluation.metric, reads.corrected(evaluation.confidence)
    titles = {name: metric_name(name) for name in [metric, *test.task.metrics(test.label_kind)]}
    metrics, undefined = _scored(titles, lambda name: score(name, *test.compared(name), confidence=confidence))
    if metric not in metrics:
        raise undefined[titles[metric]]
    baselines, failed = _scored(
        {name: name for name in test.baselines},
        lambda name: score(metric, *test.compared(metric, name), confidence=confidence),
    )
    own = test.compared(metric)
    gains, unpaired = _scored(
        {name: f"gain over {name}" for name in baselines},
        lambda name: paired_difference(metric, own, test.compared(metric, name), confidence=confidence),
    )
    report = EvaluationReport(
        recipe=recipe,
        task=test.task.name,
        verdict="short",
        metric=metric,
        target=evaluation.target,
        confidence=evaluation.confidence,
        metrics=metrics,
        baselines=baselines,
        gains=gains,
        scored_rows={name: len(test.compared(name)[0]) for name in metrics},
        unscored={title: error.what for title, error in {**undefined, **failed, **unpaired}.items()},
        rows=dict(rows),
        trainable_parameters=trainable_parameters,
        examples=chosen_examples(test),
        digests=dict(digests),
        created=created,
        champion=champion,
        require=evaluation.require,
        reads=reads,
        calibration=calibration,
        cost=cost,
        aspects=aspects,
        **_label_by_label(test),
    )
    judged = tuple(conditions(report, evaluation.gate))
    met = all(condition.passed for condition in judged if condition.decides)
    return replace(report, gate=judged, verdict="met" if met else "short")


def _scored(
    titles: Mapping[str, str], scored: Callable[[str], Found]
) -> tuple[dict[str, Found], dict[str, LuthierError]]:
    """The scores, or gains, that these rows allow, and by title why they do not allow the others."""
    found, failed = {}, {}
    for name, title in titles.items():
        try:
            found[name] = scored(name)
        except LuthierError as error:
            log.warning("%s is not scored: %s", title, error)
            failed[title] = error
    return found, failed


def _label_by_label(test: Evaluated) -> dict[str, Any]:
    head, none = test.head, {"labels": (), "confusion": (), "per_class": ()}
    if head.kind == "token-classification":
        return {**none, "labels": tuple(dict.fromkeys(tag[2:] for tag in head.labels if tag != "O"))}
    if head.kind != "sequence-classification" or head.problem == "regression":
        return none
    gold, predicted = (np.asarray(labels) for labels in test.compared("accuracy"))
    members, given = (indicators(ids, len(head.labels)) for ids in (gold, predicted))
    counts = confusion(gold, predicted, len(head.labels)).tolist() if gold.ndim == 1 else ()
    return {
        "labels": head.labels,
        "confusion": tuple(map(tuple, counts)),
        "per_class": class_scores(members, given, head.labels),
    }
