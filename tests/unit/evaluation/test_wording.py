from collections.abc import Callable
from dataclasses import replace

import pytest

from luthier.evaluation.report import Evaluated, EvaluationReport
from luthier.evaluation.scores import Score
from luthier.evaluation.wording import baseline_sentence, interval_sentence, verdict_sentence


@pytest.fixture
def report(test_rows: Callable[..., Evaluated], make_report: Callable[..., EvaluationReport]) -> EvaluationReport:
    made = make_report(test_rows(("no", "yes")))
    baselines = {"tf-idf": Score(0.763, 0.741, 0.783), "majority": Score(0.5, 0.475, 0.525)}
    return replace(
        made, target=0.84, verdict="met", metrics={"accuracy": Score(0.846, 0.828, 0.863)}, baselines=baselines
    )


def scored(report: EvaluationReport, *values: float) -> EvaluationReport:
    return replace(report, metrics={"accuracy": Score(*values)})


def test_the_verdict_is_one_sentence(report: EvaluationReport) -> None:
    expected = "Met: accuracy 0.846 (95 % interval 0.828 to 0.863) against a target of 0.84."
    assert verdict_sentence(report) == expected


def test_a_value_just_short_never_reads_as_the_target(report: EvaluationReport) -> None:
    short = replace(scored(report, 0.83996, 0.82, 0.86), verdict="short")
    assert verdict_sentence(short).startswith("Short: accuracy 0.83996 ")


@pytest.mark.parametrize(
    ("score", "said"),
    [
        ((0.9, 0.85, 0.95), "The whole interval lies at or above the target."),
        ((0.85, 0.82, 0.87), "The interval reaches below the target: 300 test rows"),
        ((0.83, 0.81, 0.85), "The interval reaches up to the target: 300 test rows"),
        ((0.7, 0.65, 0.75), "The whole interval lies below the target."),
    ],
)
def test_the_interval_is_held_against_the_target(report: EvaluationReport, score: tuple[float, ...], said: str) -> None:
    assert interval_sentence(scored(report, *score)).startswith(said)


@pytest.mark.parametrize(
    ("score", "said"),
    [
        ((0.846, 0.828, 0.863), "0.083 above the best baseline, tf-idf (0.763); the intervals do not overlap"),
        ((0.78, 0.76, 0.80), "may be chance"),
        ((0.763, 0.74, 0.78), "the training gained nothing"),
    ],
)
def test_the_best_baseline_is_named(report: EvaluationReport, score: tuple[float, ...], said: str) -> None:
    assert said in (baseline_sentence(scored(report, *score)) or "")


def test_without_baselines_nothing_is_claimed(report: EvaluationReport) -> None:
    assert baseline_sentence(replace(report, baselines={})) is None
