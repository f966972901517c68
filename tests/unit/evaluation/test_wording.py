from collections.abc import Callable
from dataclasses import replace

import pytest

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.gate import Condition
from luthier.evaluation.paired import PairedDifference
from luthier.evaluation.report import EvaluationReport
from luthier.evaluation.scores import Score
from luthier.evaluation.wording import (
    baseline_sentence,
    interval_sentence,
    number,
    scope_sentences,
    shortened,
    verdict_sentence,
)


@pytest.fixture
def report(test_rows: Callable[..., Evaluated], make_report: Callable[..., EvaluationReport]) -> EvaluationReport:
    made = make_report(test_rows(("no", "yes")))
    baselines = {"tf-idf": Score(0.763, 0.741, 0.783), "majority": Score(0.5, 0.475, 0.525)}
    return replace(
        made,
        target=0.84,
        verdict="met",
        metrics={"accuracy": Score(0.846, 0.828, 0.863)},
        baselines=baselines,
        gains={},
    )


def scored(report: EvaluationReport, *values: float) -> EvaluationReport:
    return replace(report, metrics={"accuracy": Score(*values)})


def test_the_verdict_is_one_sentence(report: EvaluationReport) -> None:
    expected = "Met: accuracy 0.846 (95 % interval 0.828 to 0.863) against a target of 0.84."
    assert verdict_sentence(report) == expected


def test_a_value_just_short_never_reads_as_the_target(report: EvaluationReport) -> None:
    short = replace(scored(report, 0.83996, 0.82, 0.86), verdict="short")
    assert verdict_sentence(short).startswith("Short: accuracy 0.83996 ")


def test_a_verdict_names_the_other_conditions_that_fail(report: EvaluationReport) -> None:
    gate = (
        Condition("target", True, "reached"),
        Condition("latency", False, "a row takes 8.0 ms, more than 5"),
        Condition("size", True, "small"),
        Condition("champion", False, "it may lose"),
    )
    said = verdict_sentence(replace(report, verdict="short", gate=gate))
    assert said.startswith("Short: ") and said.endswith(" a target of 0.84; a row takes 8.0 ms, more than 5.")


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
    ("gain", "said"),
    [
        (
            PairedDifference(0.083, 0.061, 0.104, 0.002, 0.95, 0.00004),
            "The model is significantly better than the best baseline, tf-idf: accuracy 0.846 against 0.763, a gain of "
            "+0.083 (95 % interval +0.061 to +0.104; p 0.002, McNemar's p 4e-05).",
        ),
        (PairedDifference(0.017, -0.003, 0.037, 0.09, 0.95), "is not significantly better than the best baseline"),
        (PairedDifference(0.017, 0.003, 0.037, 0.03, 0.95, 0.2), "is not significantly better than the best baseline"),
        (PairedDifference(0.0, -0.02, 0.02, 1.0, 0.95), "p 1). On this metric the training gained nothing."),
        (PairedDifference(-0.04, -0.06, -0.02, 0.002, 0.95), "is significantly worse than the best baseline, tf-idf"),
    ],
)
def test_the_best_baseline_is_named(report: EvaluationReport, gain: PairedDifference, said: str) -> None:
    assert said in (baseline_sentence(replace(report, gains={"tf-idf": gain})) or "")


def test_without_baselines_nothing_is_claimed(report: EvaluationReport) -> None:
    assert baseline_sentence(replace(report, baselines={})) is None


@pytest.fixture
def generated(report: EvaluationReport) -> EvaluationReport:
    """The report of a metric that should be low, and of which any value may be."""
    return replace(
        report,
        metric="perplexity",
        target=25.0,
        metrics={"perplexity": Score(21.34, 20.1, 22.6)},
        baselines={"untuned base": Score(34.5, 33.0, 36.0), "other": Score(50.0, 49.0, 51.0)},
        scored_rows={"perplexity": 300},
    )


def test_a_metric_that_should_be_low_has_a_limit_and_not_a_goal(generated: EvaluationReport) -> None:
    said = "Met: perplexity 21.3 (95 % interval 20.1 to 22.6) against a target of at most 25."
    assert verdict_sentence(generated) == said


def test_a_value_just_above_the_limit_never_reads_as_the_limit(generated: EvaluationReport) -> None:
    short = replace(generated, metrics={"perplexity": Score(25.004, 24.0, 26.0)}, verdict="short")
    assert verdict_sentence(short).startswith("Short: perplexity 25.004 (95 % interval 24.000 ")


@pytest.mark.parametrize(
    ("score", "said"),
    [
        ((21, 20, 25), "The whole interval lies at or below the target."),
        ((24, 23, 26), "The interval reaches above the target: 300 test rows cannot rule out that the model falls"),
        ((26, 24, 27), "The interval reaches down to the target: 300 test rows cannot rule out that the model meets"),
        ((30, 28, 31), "The whole interval lies above the target."),
    ],
)
def test_a_low_interval_is_a_good_one(generated: EvaluationReport, score: tuple[float, ...], said: str) -> None:
    assert interval_sentence(replace(generated, metrics={"perplexity": Score(*score)})).startswith(said)


def test_the_best_baseline_is_the_lowest(generated: EvaluationReport) -> None:
    gains = {"untuned base": PairedDifference(13.16, 11.94, 14.4, 0.002, 0.95)}
    assert baseline_sentence(replace(generated, gains=gains)) == (
        "The model is significantly better than the best baseline, untuned base: perplexity 21.3 against 34.5, a gain "
        "of +13.2 (95 % interval +11.9 to +14.4; p 0.002)."
    )


@pytest.mark.parametrize(
    ("metric", "value", "written"),
    [
        ("accuracy", 0.8464, "0.846"),
        ("mcc", -0.5, "-0.500"),
        ("perplexity", 8.416, "8.42"),
        ("perplexity", 310_255.4, "310,255"),
        ("mse", 0.012345, "0.0123"),
        ("mse", 0.0, "0.000"),
    ],
)
def test_a_number_has_the_digits_that_its_metric_needs(metric: str, value: float, written: str) -> None:
    assert number(metric, value) == written


def test_what_rests_on_fewer_rows_or_is_not_scored_is_said(generated: EvaluationReport) -> None:
    assert scope_sentences(generated) == []
    fewer = replace(
        generated,
        scored_rows={"perplexity": 300, "rouge_1": 200, "chrf": 200},
        unscored={"ROUGE-L": "it sees words of a to z only"},
    )
    assert scope_sentences(fewer) == [
        "ROUGE-1 and chrF: of the 200 test rows that text was generated for.",
        "Not scored: ROUGE-L (it sees words of a to z only).",
    ]


def test_shortened_is_one_line() -> None:
    assert shortened("a\n b", 10) == "a b"
    assert shortened("abcdef", 4) == "abc…"
