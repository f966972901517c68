import numpy as np
import pytest

from luthier.errors import ParityError
from luthier.packaging.targets.agreement import Agreement, require_agreement
from luthier.tasks.task import Predictions
from tests.unit.packaging.tuned import HEADS


def found(answers: list, *evidence: list) -> Predictions:
    return Predictions(answers, [np.array(row, dtype=np.float32) for row in evidence])


def agreement(kind: str, expected: Predictions, received: Predictions, *, share=0.0, difference=10.0) -> Agreement:
    bounds = {"share": share, "difference": difference}
    return require_agreement("int8", HEADS[kind], expected, received, remedy="use float32", **bounds)


CLASSES = found(["bad", "good", "good", "bad"], [0.9, 0.1], [0.4, 0.6], [0.25, 0.75], [0.5, 0.5])
ROUNDED = found(["bad", "bad", "good", "bad"], [0.75, 0.25], [0.65, 0.35], [0.25, 0.75], [0.5, 0.5])


def test_classes_are_counted_by_row_and_differences_are_of_probabilities():
    given = agreement("single", CLASSES, ROUNDED)
    assert (given.answers, given.agreeing, given.share) == (4, 3, 0.75)
    assert given.largest_difference == pytest.approx(0.25)
    assert given.mean_difference == pytest.approx((2 * 0.15 + 2 * 0.25) / 8)


@pytest.mark.parametrize(("share", "difference"), [(0.76, 1.0), (0.5, 0.24)])
def test_either_bound_refuses_with_both_numbers(share, difference):
    with pytest.raises(ParityError) as caught:
        agreement("single", CLASSES, ROUNDED, share=share, difference=difference)
    assert "3 of 4 answers agree (75.0%" in str(caught.value) and "0.250" in str(caught.value)
    assert "use float32" in str(caught.value)


def test_at_its_bounds_it_is_accepted():
    assert agreement("single", CLASSES, CLASSES, share=1.0, difference=0.0).share == 1


def test_words_are_counted_where_words_are_tagged():
    known = found([["a"], []], [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]], [[0.6, 0.3, 0.1]])
    given = agreement("tags", known, found([[], []], [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1]], [[0.6, 0.3, 0.1]]))
    assert (given.answers, given.agreeing) == (3, 2)


def test_the_place_of_an_answer_is_no_probability():
    known = found(["Bob"], [0.9, 0.8, 11.5, 2.0, 8, 11])
    given = agreement("answers", known, found(["Bob"], [0.85, 0.8, 9.5, 2.5, 100, 103]))
    assert given.largest_difference == pytest.approx(0.05) and given.share == 1


def test_a_number_agrees_within_the_difference_that_is_allowed():
    known = found([100.0, 0.5], [100.0], [0.5])
    given = agreement("number", known, found([104.0, 0.7], [104.0], [0.7]), difference=0.3)
    assert given.share == 1 and given.largest_difference == pytest.approx(0.2)
    with pytest.raises(ParityError, match="1 of 2"):
        agreement("number", known, found([104.0, 0.7], [104.0], [0.7]), share=1.0, difference=0.1)


@pytest.mark.parametrize("received", [[np.nan, 0.1], [0.9, 0.1, 0.0]])
def test_what_is_no_number_or_of_another_shape_is_refused(received):
    with pytest.raises(ParityError, match="inf"):
        agreement("single", found(["bad"], [0.9, 0.1]), found(["bad"], received))


def test_no_evidence_proves_nothing():
    with pytest.raises(ParityError, match="nothing shows"):
        agreement("causal", found([""], []), found([""], []))
