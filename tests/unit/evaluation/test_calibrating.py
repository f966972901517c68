"""The calibration that validation rows choose, against torch and scikit-learn."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import f1_score

from luthier.evaluation.calibrating import LEAST_OF_LABEL, LEAST_ROWS, REACH, _thresholds, fitted
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.metrics.reliability import log_loss
from luthier.tasks.calibration import Calibration
from luthier.tasks.head import Head
from luthier.tasks.task import Predictions
from tests.unit.evaluation.answered import SAMPLES, classified
from tests.unit.evaluation.classifiers import TOO_SURE, sampled, softmax

NAMES = ("a", "b", "c")


def several(gold: np.ndarray, probabilities: np.ndarray) -> Evaluated:
    """Rows of several labels each, from indicators and probabilities (rows x labels)."""
    head = Head("sequence-classification", NAMES[: gold.shape[1]], "multi_label_classification")
    ids = [np.flatnonzero(row).tolist() for row in gold]
    rows = pa.table(
        {"label_id": pa.array(ids, pa.list_(pa.int64())), "label": [[NAMES[i] for i in row] for row in ids]}
    )
    outputs = probabilities.astype(np.float32)
    answers = [[NAMES[place] for place in np.flatnonzero(row >= 0.5)] for row in outputs]
    return Evaluated(SAMPLES["multi-label"]().task, head, "multi", rows, Predictions(answers, list(outputs)))


def by_torch(loss: Any, logits: np.ndarray) -> float:
    """The temperature as Guo et al. fit it."""
    power = torch.zeros((), dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([power], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def closure() -> torch.Tensor:
        search.zero_grad()
        found = loss(torch.from_numpy(logits) / power.exp())
        found.backward()
        return found

    search.step(closure)
    return float(power.detach().exp())


@pytest.mark.parametrize("sure", [0.4, 1.0, 3.0])
def test_the_temperature_is_the_one_that_torch_finds(sure: float) -> None:
    rows = sampled(NAMES, 600, several=False, seed=1, sure=sure)
    gold = torch.tensor(rows.rows["label_id"].to_pylist())
    logits = np.log(rows.outputs.astype(np.float64))
    expected = by_torch(lambda scaled: torch.nn.functional.cross_entropy(scaled, gold), logits)
    found = fitted(rows)
    assert found.temperature == pytest.approx(expected, rel=1e-3)
    assert found.temperature == pytest.approx(sure, rel=0.2)
    assert found.thresholds == ()


def test_the_temperature_of_several_labels_is_the_one_that_torch_finds() -> None:
    rows = sampled(NAMES, 600, several=True, seed=2)
    gold = torch.tensor(rows.compared("accuracy")[0], dtype=torch.float64)
    outputs = np.clip(rows.outputs.astype(np.float64), 1e-12, 1 - 1e-12)
    logits = np.log(outputs / (1 - outputs))
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    assert fitted(rows).temperature == pytest.approx(by_torch(lambda scaled: loss(scaled, gold), logits), rel=1e-3)
    assert fitted(rows).temperature == pytest.approx(TOO_SURE, rel=0.2)


def test_a_threshold_has_the_greatest_f1_of_all() -> None:
    rows = sampled(NAMES, 300, several=True, seed=3)
    found = fitted(rows)
    gold, tempered = rows.compared("accuracy")[0], np.stack(list(found.applied(rows.predictions, rows.head).evidence))
    for label, limit in enumerate(found.thresholds):
        scores = tempered[:, label]
        best = max(f1_score(gold[:, label], scores >= at) for at in np.unique(scores))
        assert f1_score(gold[:, label], scores >= limit) == pytest.approx(best)


def test_too_few_rows_and_other_heads_are_left_as_they_are() -> None:
    few = sampled(NAMES, LEAST_ROWS - 1, several=False, seed=1)
    assert fitted(few) == Calibration()
    assert fitted(sampled(NAMES, LEAST_ROWS, several=False, seed=1)) != Calibration()
    for name in ("regression", "tags", "questions", "generations"):
        assert fitted(SAMPLES[name]()) == Calibration()


def test_a_label_that_few_rows_have_or_lack_keeps_a_half() -> None:
    gold = np.zeros((100, 3), dtype=int)
    gold[: LEAST_OF_LABEL - 1, 0], gold[LEAST_OF_LABEL - 1 :, 1], gold[:40, 2] = 1, 1, 1
    probabilities = np.clip(gold * 0.2 + np.linspace(0.1, 0.3, 100)[:, None], 0, 1)
    found = fitted(several(gold, probabilities))
    assert found.thresholds[:2] == (0.5, 0.5)
    assert found.thresholds[2] != 0.5


def test_rows_that_are_all_right_cannot_push_the_temperature_out_of_reach() -> None:
    labels = np.arange(90) % 3
    rows = classified(NAMES, labels, softmax(np.eye(3)[labels] * 2.0))
    found = fitted(rows)
    assert np.exp(-REACH) <= found.temperature < 0.1
    assert all(np.isfinite(row).all() for row in found.applied(rows.predictions, rows.head).evidence)


def test_halfway_between_neighbouring_numbers_is_not_the_lower_one() -> None:
    low = np.float32(0.3)
    high = np.nextafter(low, np.float32(1))
    gold = np.zeros((60, 1), dtype=int)
    gold[:30] = 1
    probabilities = np.where(gold == 1, high, low).astype(np.float32)
    rows = several(gold, probabilities)
    limits = _thresholds(gold, rows.outputs)
    assert Calibration(1.0, limits).applied(rows.predictions, rows.head).answers == [["a"]] * 30 + [[]] * 30


logit = st.floats(-40, 40, allow_nan=False, width=32)


@st.composite
def outputs(draw: st.DrawFn, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits (rows x labels) of a few different rows, repeated, and a seed's labels for them."""
    rows = draw(st.lists(st.lists(logit, min_size=labels, max_size=labels), min_size=1, max_size=8))
    random = np.random.default_rng(draw(st.integers(0, 9999)))
    logits = np.array(rows)[random.integers(0, len(rows), 80)]
    return logits, random.integers(0, 2 if labels == 1 else labels, 80)


@settings(max_examples=60, deadline=None)
@given(outputs(labels=3))
def test_whatever_the_classes_answers_stay_and_validation_is_no_less_likely(
    found: tuple[np.ndarray, np.ndarray],
) -> None:
    logits, gold = found
    rows = classified(NAMES, gold, softmax(logits))
    calibration = fitted(rows)
    tempered = calibration.applied(rows.predictions, rows.head)
    assert np.exp(-REACH) <= calibration.temperature <= np.exp(REACH)
    assert tempered.answers == rows.predictions.answers
    before, after = rows.outputs, np.stack(list(tempered.evidence))
    places = np.arange(len(before)), before.argmax(axis=1)
    assert (after[places] == after.max(axis=1)).all()
    assert after.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert log_loss(gold, after).value <= log_loss(gold, before).value + 1e-5


@settings(max_examples=60, deadline=None)
@given(outputs(labels=1))
def test_whatever_the_labels_thresholds_reach_the_f1_of_a_half(found: tuple[np.ndarray, np.ndarray]) -> None:
    logits, members = found
    rows = several(members[:, None], expit(logits))
    calibration = fitted(rows)
    served = Evaluated(rows.task, rows.head, "multi", rows.rows, calibration.applied(rows.predictions, rows.head))
    gold = rows.compared("accuracy")[0]
    half, own = (f1_score(gold, part.compared("accuracy")[1], zero_division=0) for part in (rows, served))
    assert own >= half - 1e-12
    assert log_loss(gold, served.outputs).value <= log_loss(gold, rows.outputs).value + 1e-5
