"""Who becomes the champion, and the sentence that says why."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from luthier.evaluation.champion_comparison import ChampionComparison
from luthier.evaluation.paired import PairedDifference
from luthier.evaluation.promotion import Incumbent, promotion
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
        found = ChampionComparison("m", "3", "d3", 90, 10, score, score, difference, reaches_target=True)
        return replace(base, champion=replace(found, **changed))

    return compared


def test_a_report_that_falls_short_promotes_nothing(report):
    short = replace(report(BETTER), verdict="short")
    for incumbent in (None, INCUMBENT, Incumbent("3", "d3", "a")):
        found = promotion(short, incumbent, adapter="a")
        assert not found.allowed and found.reason.startswith("Short:")


def test_without_a_champion_or_as_the_champion_the_target_suffices(report):
    alone = replace(report(), champion=None)
    assert promotion(alone, None, adapter="a").allowed
    assert promotion(alone, Incumbent("3", "d3", "a"), adapter="a").allowed


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
    assert found.allowed is allowed
    assert "champion, version 3" in found.reason
    assert found.reason.endswith("It stays.") is not allowed


def test_a_gain_that_mcnemar_does_not_confirm_is_none(report):
    assert not promotion(report(replace(BETTER, mcnemar_p=0.06)), INCUMBENT, adapter="a").allowed


def test_other_work_is_no_obstacle_and_missing_evidence_is_one(report):
    changed = promotion(report(obstacle="changed", reason="its task is another"), INCUMBENT, adapter="a")
    assert changed.allowed and "its task is another" in changed.reason
    unknown = promotion(report(obstacle="unknown", reason="3 test rows are new to it"), INCUMBENT, adapter="a")
    assert not unknown.allowed and "3 test rows are new to it" in unknown.reason and "alias" in unknown.reason


def test_a_report_beside_another_champion_than_the_present_one_decides_nothing(report):
    for found in (replace(report(BETTER), champion=None), report(BETTER, digest="d2")):
        decision = promotion(found, INCUMBENT, adapter="a")
        assert not decision.allowed and "evaluation_report again" in decision.reason


def test_the_sentence_has_the_numbers_and_the_rows_left_out(report):
    assert champion_sentence(report(BETTER)) == (
        "On 90 rows (10 left out that it was trained or validated on) it is significantly better than the champion, "
        "version 3: accuracy 0.700 against 0.700, a gain of +0.050 (95 % interval +0.020 to +0.080; p 0.002, "
        "McNemar's p 0.001)."
    )
    assert champion_sentence(replace(report(), champion=None)) is None


@pytest.mark.parametrize("difference", [BETTER, None])
def test_a_comparison_comes_back_from_disk(report, history, tmp_path, difference):
    written = (
        report(difference) if difference else report(candidate=None, champion=None, obstacle="unknown", reason="x")
    )
    write_report(written, history, tmp_path)
    assert read_report(tmp_path) == written
    assert "the champion, version 3" in (tmp_path / "report.html").read_text()
