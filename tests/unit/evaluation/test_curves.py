"""Average precision and areas against scikit-learn; what is drawn, and what is not."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from luthier.errors import UndefinedMetricError
from luthier.evaluation.aspects.curves import MOST_DRAWN, MOST_LISTED, curves, examine, pictures
from luthier.evaluation.metrics.order import ranking
from tests.unit.evaluation.classifiers import sampled
from tests.unit.evaluation.examinations import calibrated

NAMES = ("a", "b", "c")


def tied(rows: int, labels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of two decimals, so that there are ties."""
    random = np.random.default_rng(seed)
    members = random.random((rows, labels)) < 0.3
    return members, (random.random((rows, labels)) * 0.7 + members * random.random((rows, labels)) * 0.3).round(2)


@pytest.mark.parametrize("seed", range(5))
def test_both_numbers_are_those_of_scikit_learn_ties_and_draws_too(seed: int) -> None:
    members, scores = (column[:, 0] for column in tied(120, 1, seed))
    draws = np.random.default_rng(seed + 100).multinomial(120, np.full(120, 1 / 120), size=4)
    found = ranking(members, scores)(draws)
    assert found.shape == (4, 2)
    for draw, (precision, area) in zip(draws, found, strict=True):
        assert precision == pytest.approx(average_precision_score(members, scores, sample_weight=draw))
        assert area == pytest.approx(roc_auc_score(members, scores, sample_weight=draw))


def test_draws_of_one_kind_have_no_number() -> None:
    members = np.array([1, 0, 0])
    assert np.isnan(ranking(members, np.array([0.9, 0.2, 0.1]))(np.array([[0, 2, 1], [3, 0, 0]]))).all()


@pytest.mark.parametrize("several", [False, True])
def test_each_label_and_the_mean_have_intervals(several: bool) -> None:
    test = sampled(NAMES, 400, several=several, seed=1)
    given = calibrated(test, sampled(NAMES, 100, several=several, seed=2))
    found = examine(given)
    assert found is not None
    gold = np.asarray(test.compared("accuracy")[0])
    members = gold if several else np.eye(3)[gold]
    served = given.test.outputs
    for label in found.labels:
        place = NAMES.index(label.label)
        expected = average_precision_score(members[:, place], served[:, place])
        assert label.average_precision.value == pytest.approx(expected)
        assert label.roc_auc.value == pytest.approx(roc_auc_score(members[:, place], served[:, place]))
        assert label.average_precision.low < label.average_precision.value < label.average_precision.high
        assert label.rows == members[:, place].sum()
    assert found.average_precision.value == pytest.approx(average_precision_score(members, served, average="macro"))
    assert found.roc_auc.value == pytest.approx(roc_auc_score(members, served, average="macro"))
    values = [label.average_precision.value for label in found.labels]
    assert values == sorted(values)
    width = found.average_precision.high - found.average_precision.low
    assert 0 < width < max(label.average_precision.high - label.average_precision.low for label in found.labels)


def test_of_many_labels_the_best_and_the_worst_are_drawn_and_the_worst_are_listed() -> None:
    names = tuple(f"label {number}" for number in range(30))
    members, scores = tied(200, 30, 1)
    found = curves(members, scores, names, 0.95)
    assert (found.among, len(found.labels), len(found.drawn)) == (30, MOST_LISTED, MOST_DRAWN)
    precision = {name: average_precision_score(members[:, p], scores[:, p]) for p, name in enumerate(names)}
    ranked = sorted(names, key=precision.__getitem__)
    assert [label.label for label in found.labels] == ranked[:MOST_LISTED]
    assert [label.label for label in found.drawn] == [
        *ranked[: -MOST_DRAWN // 2 - 1 : -1],
        *ranked[MOST_DRAWN // 2 - 1 :: -1],
    ]
    picture = pictures(found)["curves"]("svg")
    assert all(name.encode() + b"</text>" in picture for name in (ranked[0], ranked[-1]))
    assert ranked[15].encode() + b"</text>" not in picture


def test_curves_are_thinned_and_keep_their_ends() -> None:
    members, scores = np.random.default_rng(0).random((5000, 1)) < 0.5, np.random.default_rng(1).random((5000, 1))
    (drawn,) = curves(members, scores, ("a",), 0.95).drawn
    assert len(drawn.recall) == len(drawn.precision) <= 100
    assert (drawn.recall[0], drawn.recall[-1]) == (1, 0)
    assert (drawn.false_positives[0], drawn.true_positives[-1]) == (0, 1)


def test_a_label_that_no_row_has_is_named_and_not_judged() -> None:
    members, scores = tied(50, 3, 2)
    members[:, 1] = False
    found = curves(members, scores, NAMES, 0.95)
    assert found.unjudged == ("b",) and found.among == 2
    with pytest.raises(UndefinedMetricError):
        curves(np.ones((9, 1), dtype=bool), scores[:9, :1], ("a",), 0.95)
