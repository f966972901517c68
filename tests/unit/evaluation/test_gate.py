from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.evaluation.champion_comparison import ChampionComparison
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.gate import CHECKS, Condition, conditions, margin_of, standing
from luthier.evaluation.paired import PairedDifference
from luthier.evaluation.report import EvaluationReport
from luthier.evaluation.scores import Score
from luthier.packaging.cost import ServingCost
from luthier.recipe.gate_section import GateSection
from tests.unit.evaluation.answered import SAMPLES

Rows = Callable[..., Evaluated]
Make = Callable[..., EvaluationReport]
COST = ServingCost(megabytes=90.0, latency_ms=12.0, latency_p95_ms=20.0, rows=50)


def condition(report: EvaluationReport, name: str) -> Condition:
    return next(each for each in report.gate if each.name == name)


def compared(low: float, value: float, high: float) -> ChampionComparison:
    score = Score(0.8, 0.7, 0.9)
    difference = PairedDifference(value, low, high, p=0.5, confidence=0.95)
    return ChampionComparison("m", "3", "d", 100, 0, score, score, difference, 0.02, True)


def test_every_condition_is_judged_and_has_a_check_of_its_own(test_rows: Rows, make_report: Make) -> None:
    report = make_report(test_rows(("no", "yes")))
    assert [each.name for each in report.gate] == list(CHECKS)
    assert len({check for check, _ in CHECKS.values()}) == len(CHECKS)
    assert all(each.reason for each in report.gate)
    assert [each.name for each in report.gate if each.asked] == ["target", "champion"]


def test_the_lower_bound_decides_where_it_is_required(test_rows: Rows, make_report: Make) -> None:
    test = test_rows(("no", "yes"))
    score = make_report(test).deciding
    between = (score.low + score.value) / 2
    assert make_report(test, target=between).verdict == "met"
    assert make_report(test, target=between, require="lower_bound").verdict == "short"
    assert make_report(test, target=score.low, require="lower_bound").verdict == "met"


@pytest.mark.parametrize(("metric", "bound"), [("accuracy", 0.7), ("mse", 0.9)])
def test_what_is_required_of_a_score_is_its_value_or_its_worse_end(metric: str, bound: float) -> None:
    score, way = Score(0.8, 0.7, 0.9), 1 if metric == "accuracy" else -1
    for require, edge in (("point", 0.8), ("lower_bound", bound)):
        for target, reaches in ((edge, True), (edge + way * 1e-9, False), (edge - way * 1e-9, True)):
            found, said = standing(metric, score, target=target, require=require)
            assert found is reaches and f"{edge:g}" in said


def test_of_a_metric_that_should_be_low_the_upper_bound_decides(make_report: Make) -> None:
    test = SAMPLES["generations"]()
    score = make_report(test, metric="perplexity").deciding
    asked = {"metric": "perplexity", "require": "lower_bound"}
    assert make_report(test, target=score.high, **asked).verdict == "met"
    assert make_report(test, target=np.nextafter(score.high, 0), **asked).verdict == "short"


def test_a_label_below_the_least_f1_falls_short_and_is_named(test_rows: Rows, make_report: Make) -> None:
    test = test_rows(("rare", "common"))
    worst = min(make_report(test).per_class, key=lambda label: label.f1)
    for least, verdict in ((worst.f1, "met"), (np.nextafter(worst.f1, 1), "short")):
        report = make_report(test, target=0.1, gate=GateSection(label_f1=float(least)))
        assert report.verdict == verdict
    assert worst.label in condition(report, "labels").reason


def test_a_label_without_test_rows_is_not_judged(make_rows: Rows, make_report: Make) -> None:
    labels = np.arange(40) % 2
    report = make_report(make_rows(("a", "b", "absent"), labels, np.eye(3)[labels]), gate=GateSection(label_f1=1.0))
    assert condition(report, "labels").passed


@pytest.mark.parametrize(("name", "field", "value"), [("latency", "latency_ms", 12.0), ("size", "size_mb", 90.0)])
def test_what_it_costs_may_be_the_limit_and_not_more(
    test_rows: Rows, make_report: Make, name: str, field: str, value: float
) -> None:
    test = test_rows(("no", "yes"))
    at = make_report(test, target=0.1, cost=COST, gate=GateSection(**{field: value}))
    above = make_report(test, target=0.1, cost=COST, gate=GateSection(**{field: np.nextafter(value, 0)}))
    assert (at.verdict, above.verdict) == ("met", "short")
    assert not condition(above, name).passed
    assert not above.can_be_tuned


def test_a_score_that_misses_the_target_can_be_tuned(test_rows: Rows, make_report: Make) -> None:
    assert make_report(test_rows(("no", "yes")), target=0.999).can_be_tuned


def test_a_loss_beyond_the_margin_fails_its_check_and_leaves_the_verdict(test_rows: Rows, make_report: Make) -> None:
    test = test_rows(("no", "yes"))
    for low, passed in ((-0.02, True), (-0.021, False)):
        report = make_report(test, target=0.1, champion=compared(low, 0.0, 0.02))
        assert (condition(report, "champion").passed, report.verdict) == (passed, "met")
    assert condition(
        make_report(test, target=0.1, champion=replace(compared(-0.3, 0.0, 0.3), margin=0.3)),
        "champion",
    ).passed


@pytest.mark.parametrize(
    ("metric", "champion", "margin"), [("accuracy", 0.5, 0.02), ("mcc", 0.5, 0.04), ("mse", 3.0, 0.06)]
)
def test_the_margin_is_a_share_of_the_range_else_of_the_champion(metric: str, champion: float, margin: float) -> None:
    assert margin_of(metric, champion, None) == pytest.approx(margin)
    assert margin_of(metric, champion, 0.5) == 0.5


@given(st.floats(-1, 1), st.floats(0, 1))
def test_an_interval_is_within_the_margin_when_it_holds_no_greater_loss(low: float, margin: float) -> None:
    assert PairedDifference(low, low, low, 0.5, 0.95).is_within(margin) == (max(0.0, -low) <= margin)


def test_a_comparison_that_was_not_possible_rules_no_loss_out(test_rows: Rows, make_report: Make) -> None:
    nothing: dict[str, Any] = {"rows": 0, "candidate": None, "champion": None, "difference": None}
    report = make_report(
        test_rows(("no", "yes")),
        target=0.1,
        champion=replace(compared(0, 0, 0), **nothing, reason="it is gone"),
    )
    found = condition(report, "champion")
    assert not found.passed and "it is gone" in found.reason
    assert report.verdict == "met"


def test_the_conditions_follow_from_the_report_alone(test_rows: Rows, make_report: Make) -> None:
    report = make_report(test_rows(("no", "yes")))
    assert tuple(conditions(report, GateSection())) == report.gate
