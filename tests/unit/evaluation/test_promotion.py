"""Who becomes the champion, and the sentence that says why."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luthier.evaluation.champion_comparison import ChampionComparison
from luthier.evaluation.paired import PairedDifference
from luthier.evaluation.promotion import (
    Incumbent,
    manual_objection,
    promotion,
    reversed_difference,
)
from luthier.evaluation.report import EvaluationReport, read_report, write_report
from luthier.evaluation.scores import Score
from luthier.evaluation.wording import champion_sentence

INCUMBENT = Incumbent("3", "d3", "a3")
BETTER = PairedDifference(0.05, 0.02, 0.08, 0.002, 0.95, 0.001)
ALIKE = PairedDifference(0.01, -0.01, 0.03, 0.4, 0.95, 0.5)
WORSE = PairedDifference(-0.05, -0.08, -0.02, 0.002, 0.95, 0.001)


@pytest.fixture
def report(test_rows: Any, make_report: Any) -> Callable[..., EvaluationReport]:
    base = make_report(test_rows(("no", "yes")), target=0.5)

    def compared(difference: PairedDifference | None = None, **changed: Any) -> EvaluationReport:
        score = Score(0.7, 0.6, 0.8)
        found = ChampionComparison("m", "3", "d3", 90, 10, score, score, difference, margin=0.02, reaches_target=True)
        return replace(base, champion=replace(found, **changed))

    return compared


def test_a_report_that_falls_short_promotes_nothing(report):
    short = replace(report(BETTER), verdict="short")
    for incumbent in (None, INCUMBENT, Incumbent("3", "d3", "a")):
        found = promotion(short, incumbent, adapter="a")
        assert found.alias is None and found.reason.startswith("Short:")


def test_without_a_champion_or_as_the_champion_the_target_suffices(report):
    alone = replace(report(), champion=None)
    assert promotion(alone, None, adapter="a").alias == "champion"
    assert promotion(alone, Incumbent("3", "d3", "a"), adapter="a").alias == "champion"


@pytest.mark.parametrize(
    ("difference", "reaches", "allowed"),
    [
        (BETTER, True, True),
        (BETTER, False, True),
        (ALIKE, True, False),
        (ALIKE, False, True),
        (WORSE, True, False),
        (WORSE, False, False),
    ],
)
def test_beside_another_champion_a_gain_decides_or_that_it_fails_and_is_no_better(report, difference, reaches, allowed):
    found = promotion(report(difference, reaches_target=reaches), INCUMBENT, adapter="a")
    assert found.alias == ("champion" if allowed else "challenger")
    assert "champion, version 3" in found.reason
    assert ("It stays" in found.reason) is not allowed


def test_a_gain_that_mcnemar_does_not_confirm_is_none(report):
    found = promotion(report(replace(BETTER, mcnemar_p=0.06)), INCUMBENT, adapter="a")
    assert found.alias == "challenger"


def test_a_report_beside_another_champion_than_the_present_one_decides_nothing(report):
    for found in (replace(report(BETTER), champion=None), report(BETTER, digest="d2")):
        decision = promotion(found, INCUMBENT, adapter="a")
        assert decision.alias is None and "evaluation_report again" in decision.reason


def test_the_sentence_has_the_numbers_and_the_rows_left_out(report):
    assert champion_sentence(report(BETTER)) == (
        "On 90 rows (10 left out that it was trained or validated on) it is significantly better than the champion, "
        "version 3: accuracy 0.700 against 0.700, a gain of +0.050 (95 % interval +0.020 to +0.080; p 0.002, "
        "McNemar's p 0.001)."
    )
    assert champion_sentence(replace(report(), champion=None)) is None


@pytest.mark.parametrize("difference", [BETTER, None])
def test_a_comparison_comes_back_from_disk(report, history, tmp_path, difference):
    written = report(difference) if difference else report(candidate=None, champion=None, reason="x")
    write_report(written, history, tmp_path)
    assert read_report(tmp_path) == written
    assert "the champion, version 3" in (tmp_path / "report.html").read_text()


finite = st.floats(-1, 1, allow_nan=False)


# What the fixture gives is the same each time.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    value=finite,
    below=st.floats(0, 1),
    above=st.floats(0, 1),
    p=st.floats(0, 1),
    reaches=st.booleans(),
    margin=st.floats(0, 0.5),
    higher=st.booleans(),
)
def test_no_champion_is_replaced_where_a_loss_beyond_the_margin_is_not_ruled_out(
    report, value, below, above, p, reaches, margin, higher
):
    """Whatever else holds: how good the new model is, and how far the champion falls short."""
    gain = PairedDifference(value, value - below, value + above, p, 0.95, p if higher else None)
    decision = promotion(report(gain, reaches_target=reaches, margin=margin), INCUMBENT, adapter="a")
    if gain.low < -margin:
        assert decision.alias == "challenger" and "It stays" in decision.reason
    if decision.alias == "champion":
        assert gain.low >= -margin
        assert gain.is_better or not reaches
    assert (manual_objection("accuracy", gain, margin, "3") is None) == (gain.low >= -margin)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    reason=st.sampled_from(["its task is another", "its labels are others", "theirs are other tokens", "it is gone"]),
    reaches=st.none() | st.booleans(),
    margin=st.floats(0, 1e9),
    scored=st.booleans(),
)
def test_no_champion_is_replaced_without_a_paired_interval(report, reason, reaches, margin, scored):
    """Whatever kept the two from being compared, and whatever else is known of them."""
    scores = {} if scored else {"candidate": None, "champion": None}
    beside = report(None, reason=reason, reaches_target=reaches, margin=margin, **scores)
    decision = promotion(beside, INCUMBENT, adapter="a")
    assert decision.alias == "challenger"
    assert reason in decision.reason and "luthier promote RECIPE --force" in decision.reason


def test_the_margin_counts_in_the_units_of_the_metric_and_its_edge_is_allowed(report):
    at_edge, beyond = replace(ALIKE, low=-0.02), replace(ALIKE, low=-0.0201)
    assert promotion(report(at_edge, reaches_target=False), INCUMBENT, adapter="a").alias == "champion"
    kept = promotion(report(beyond, reaches_target=False), INCUMBENT, adapter="a")
    assert kept.alias == "challenger"
    assert kept.reason.endswith(
        "It stays: a loss of up to 0.020 is not ruled out, and 0.02 is the most that may be lost."
    )


def test_a_model_that_somebody_rolled_back_from_is_no_champion_again_by_itself(report):
    for incumbent, made in ((None, replace(report(), champion=None)), (INCUMBENT, report(BETTER))):
        found = promotion(made, incumbent, adapter="a", withdrawn="Version 4 was rolled back from (it swore).")
        assert found.alias == "challenger" and found.reason.startswith("Version 4 was rolled back from")


def test_a_comparison_seen_from_the_other_side_is_the_opposite_and_twice_the_same():
    assert reversed_difference(BETTER) == replace(BETTER, value=-0.05, low=-0.08, high=-0.02)
    assert reversed_difference(BETTER).is_worse
    assert reversed_difference(reversed_difference(ALIKE)) == ALIKE


def test_a_promotion_by_hand_risks_no_loss_beyond_the_margin():
    assert manual_objection("accuracy", BETTER, 0.02, "3") is None
    assert "a loss of up to 0.080" in str(manual_objection("accuracy", WORSE, 0.02, "3"))
