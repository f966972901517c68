"""Calibration errors against torchmetrics, Brier and likelihood against scikit-learn; their intervals; the gate."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from luthier.evaluation.aspects import Aspects, examined
from luthier.evaluation.aspects.reliability import examine, promises
from luthier.evaluation.metrics import reliability as measures
from luthier.evaluation.reliability_diagram import reliability_diagram
from luthier.evaluation.report import EvaluationReport
from luthier.recipe.gate_section import GateSection
from tests.unit.evaluation.answered import SAMPLES
from tests.unit.evaluation.classifiers import TOO_SURE, sampled, softmax
from tests.unit.evaluation.examinations import calibrated

NAMES = ("a", "b", "c")


def drawn(rows: int, seed: int, *, sure: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    found = sampled(NAMES, rows, several=False, seed=seed, sure=sure)
    return np.array(found.rows["label_id"].to_pylist()), found.outputs


@pytest.mark.parametrize("bins", [5, 15])
@pytest.mark.parametrize("sure", [1.0, TOO_SURE])
def test_the_calibration_error_of_classes_is_that_of_torchmetrics(bins: int, sure: float) -> None:
    gold, outputs = drawn(500, 1, sure=sure)
    expected = multiclass_calibration_error(torch.from_numpy(outputs), torch.from_numpy(gold), 3, n_bins=bins)
    found = measures.calibration_error(*measures.answers(gold, outputs), measures.equal_width(bins))
    assert found.value == pytest.approx(float(expected), abs=1e-6)


def test_the_calibration_error_of_labels_is_that_of_torchmetrics() -> None:
    rows = sampled(NAMES, 400, several=True, seed=1)
    gold = np.asarray(rows.compared("accuracy")[0])
    expected = binary_calibration_error(torch.from_numpy(rows.outputs.ravel()), torch.from_numpy(gold.ravel()), 15)
    found = measures.calibration_error(*measures.answers(gold, rows.outputs), measures.equal_width())
    assert found.value == pytest.approx(float(expected), abs=1e-6)


def test_brier_and_likelihood_are_those_of_scikit_learn() -> None:
    gold, outputs = drawn(300, 2)
    exact = outputs.astype(float) / outputs.astype(float).sum(axis=1, keepdims=True)
    assert measures.brier(gold, exact).value == pytest.approx(brier_score_loss(gold, exact, labels=[0, 1, 2]))
    assert measures.log_loss(gold, exact).value == pytest.approx(sklearn_log_loss(gold, exact))
    rows = sampled(NAMES, 300, several=True, seed=2)
    members = np.asarray(rows.compared("accuracy")[0])
    each = list(zip(members.T, rows.outputs.T.astype(float), strict=True))
    squares = np.mean([brier_score_loss(*label) for label in each])
    likely = np.mean([sklearn_log_loss(*label) for label in each])
    assert measures.brier(members, rows.outputs).value == pytest.approx(squares)
    assert measures.log_loss(members, rows.outputs).value == pytest.approx(likely)


def test_by_hand_with_bins_that_have_no_answers() -> None:
    gold = np.array([0, 0, 1, 1])
    outputs = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.0, 1.0]])
    found = promises(gold, outputs, 0.95)
    # In the bin of 0.9 two of three are right; the one of 1 is in the last bin, and right.
    assert found.error.value == pytest.approx(3 / 4 * (0.9 - 2 / 3))
    assert [b.answers for b in found.bins] == [0] * 13 + [3, 1]
    assert [b.confidence for b in found.bins[:13]] == [None] * 13
    assert found.bins[-1].right == 1.0


def test_perfect_probabilities_have_no_error() -> None:
    gold = np.arange(60) % 3
    found = promises(gold, np.eye(3)[gold], 0.95)
    assert (found.error.value, found.error.low, found.error.high) == (0, 0, 0)
    assert (found.brier.value, found.log_loss.value) == (0, 0)
    assert found.by_chance == 0


def test_one_class_and_few_rows_have_an_error_all_the_same() -> None:
    found = promises(np.zeros(3, dtype=int), np.array([[0.6, 0.4]] * 3), 0.95)
    assert found.error.value == pytest.approx(0.4)
    assert found.adaptive_error.value == pytest.approx(0.4)


def test_bins_of_equal_mass_have_as_many_answers_each() -> None:
    _, outputs = drawn(900, 3)
    confidences = outputs.max(axis=1)
    counts = np.bincount(measures.bin_of(confidences, measures.equal_mass(confidences)))
    assert len(counts) == 15 and set(counts) <= {59, 60, 61}


def test_the_interval_holds_what_is_true_and_nothing_where_nothing_is_wrong() -> None:
    """Plain percentiles would leave out 0 every time: resamples add to an error that is 0."""
    gold, outputs = drawn(200_000, 10, sure=2.0)
    true = measures.calibration_error(*measures.answers(gold, outputs), measures.equal_width()).value
    held = {1.0: 0, 2.0: 0}
    for seed in range(40):
        for sure, error in ((1.0, 0.0), (2.0, true)):
            found = promises(*drawn(400, 100 + seed, sure=sure), 0.95).error
            held[sure] += found.low <= error <= found.high
    assert min(held.values()) >= 34


@pytest.mark.parametrize("several", [False, True])
def test_the_temperature_mends_what_the_model_claims(several: bool) -> None:
    found = examine(
        calibrated(*(sampled(NAMES, 800, several=several, seed=seed) for seed in (1, 2))),
    )
    assert found is not None and found.raw is not None
    assert found.fitted_rows == 800
    assert list(found.shown) == ["before", "as served"]
    assert found.raw.apart_from_chance and not found.served.apart_from_chance
    assert found.served.error.high < found.raw.error.low
    assert found.served.log_loss.value < found.raw.log_loss.value
    assert found.served.brier.value < found.raw.brier.value
    assert sum(b.answers for b in found.served.bins) == 800 * (3 if several else 1)


def test_with_few_validation_rows_there_is_nothing_before() -> None:
    found = examine(calibrated(sampled(NAMES, 100, several=False, seed=1), sampled(NAMES, 20, several=False, seed=2)))
    assert found is not None
    assert (found.raw, found.fitted_rows, found.temperature) == (None, 0, 1.0)


@pytest.mark.parametrize("name", ["regression", "tags", "questions", "generations"])
def test_other_tasks_have_none(name: str) -> None:
    test = SAMPLES[name]()
    assert examine(calibrated(test, test)) is None
    assert {"curves", "reliability", "thresholds", "label_errors"}.isdisjoint(examined(calibrated(test, test)).found())


def test_the_diagram_draws_the_same_bytes_each_time() -> None:
    found = promises(*drawn(200, 1), 0.95)
    first, again = (reliability_diagram({"before": found.bins, "as served": found.bins}, of="answer") for _ in range(2))
    assert first == again and first.count(b"before") == 1


@pytest.mark.parametrize(("limit", "passed"), [(0.01, False), (0.5, True)])
def test_the_gate_holds_the_served_error_against_its_limit(limit: float, passed: bool, make_report) -> None:
    given = calibrated(*(sampled(NAMES, 300, several=False, seed=seed) for seed in (1, 2)))
    aspects = examined(given)
    report = make_report(given.test, target=0.1, aspects=aspects, gate=GateSection(calibration_error=limit))
    (found,) = (condition for condition in report.gate if condition.name == "calibration")
    assert (found.asked, found.passed) == (True, passed)
    assert aspects.reliability is not None
    assert f"{aspects.reliability.served.error.value:.4g}" in found.reason and f"{limit:g}" in found.reason
    assert report.verdict == ("met" if passed else "short")
    assert report.can_be_tuned is not passed


def test_a_limit_on_an_error_that_could_not_be_measured_is_not_met(make_report) -> None:
    test = sampled(NAMES, 60, several=False, seed=1)
    unknown = Aspects(impossible={"reliability": "no rows"})
    report: EvaluationReport = make_report(test, target=0.1, aspects=unknown, gate=GateSection(calibration_error=0.1))
    (found,) = (condition for condition in report.gate if condition.name == "calibration")
    assert not found.passed and found.reason.endswith("not known: no rows")
    nothing = make_report(test, target=0.1, aspects=replace(unknown, impossible={}))
    (found,) = (condition for condition in nothing.gate if condition.name == "calibration")
    assert found.passed and not found.asked


def test_chance_alone_makes_an_error_that_shrinks_with_rows() -> None:
    few, many = (
        measures.error_by_chance(
            softmax(np.random.default_rng(0).normal(size=(rows, 3))), measures.equal_width(), confidence=0.95
        )
        for rows in (50, 5000)
    )
    assert 0 < many < few / 5
