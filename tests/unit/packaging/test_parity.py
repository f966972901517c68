import numpy as np
import pytest

from luthier.errors import ParityError
from luthier.packaging.parity import Parity, require_parity
from luthier.tasks.task import Predictions
from tests.unit.packaging.tuned import HEADS


def found(answers: list, *evidence: list) -> Predictions:
    return Predictions(answers, [np.array(row, dtype=np.float32) for row in evidence])


SAME = {
    "single": found(["bad", "good"], [0.9, 0.1], [0.4, 0.6]),
    "multi": found([["fun"], []], [0.1, 0.9, 0.2], [0.1, 0.2, 0.3]),
    "number": found([12.5, -3.0], [12.5], [-3.0]),
    "tags": found([[{"start": 0, "end": 3, "label": "thing"}], []], [[0.1, 0.8, 0.1]], np.empty((0, 3))),
    "answers": found(["Bob", ""], [0.9, 0.8, 11.5, 2.0, 8, 11], [0.1, 0.1, 1.0, 4.0, 0, 0]),
    "causal": found(["so be it", None], [3.5, 0.2], [1.0]),
}
OTHER = {
    "single": "good",
    "multi": ["drama"],
    "tags": [],
    "answers": "Ann",
    "causal": "so be",
}


@pytest.mark.parametrize("kind", SAME)
def test_the_same_answers_are_parity(kind):
    parity = require_parity("merged", HEADS[kind], SAME[kind], SAME[kind])
    assert parity == Parity("merged", rows=2, agreeing=2, largest_difference=0.0, tolerance=1e-4)


@pytest.mark.parametrize("kind", OTHER)
def test_another_answer_is_none(kind):
    received = Predictions([OTHER[kind], SAME[kind].answers[1]], SAME[kind].evidence)
    with pytest.raises(ParityError, match="1 of 2 predictions differ"):
        require_parity("merged", HEADS[kind], SAME[kind], received)


@pytest.mark.parametrize("kind", SAME)
def test_other_evidence_is_none_even_for_the_same_answers(kind):
    moved = Predictions(SAME[kind].answers, [SAME[kind].evidence[0] * 1.001, SAME[kind].evidence[1]])
    with pytest.raises(ParityError, match=r"1 of 2 predictions differ.*evidence by up to \d\.\d\de-0[34]"):
        require_parity("packaged", HEADS[kind], SAME[kind], moved)
    assert require_parity("packaged", HEADS[kind], SAME[kind], moved, tolerance=2e-3).agreeing == 2


@pytest.mark.parametrize("kind", SAME)
def test_without_a_tolerance_the_last_bit_counts(kind):
    first, *others = SAME[kind].evidence
    moved = Predictions(SAME[kind].answers, [np.nextafter(first, np.float32(np.inf)), *others])
    assert require_parity("packaged", HEADS[kind], SAME[kind], moved).agreeing == 2
    with pytest.raises(ParityError, match=r"1 of 2 predictions differ.*allowed: 0e\+00"):
        require_parity("packaged", HEADS[kind], SAME[kind], moved, tolerance=0.0)


def test_a_parity_says_what_was_allowed_and_what_was_seen():
    moved = found(["bad", "good"], [0.9, 0.10005], [0.4, 0.6])
    within = require_parity("merged", HEADS["single"], SAME["single"], moved)
    assert str(within) == "merged: 2 of 2 agree within 1e-04, the largest difference is 5.0e-05"
    exact = require_parity("packaged", HEADS["single"], SAME["single"], SAME["single"], tolerance=0.0)
    assert str(exact) == "packaged: 2 of 2 agree exactly"


@pytest.mark.parametrize("evidence", [[np.nan, 0.1], [np.inf, 0.1], [0.9, 0.1, 0.0], [[0.9, 0.1]]])
def test_evidence_of_another_shape_or_without_a_number_is_none(evidence):
    received = found(["bad", "good"], evidence, [0.4, 0.6])
    with pytest.raises(ParityError, match="inf"):
        require_parity("merged", HEADS["single"], SAME["single"], received)


@pytest.mark.parametrize("nothing", [found([]), found(["", ""], [], [])])
def test_rows_that_could_not_differ_prove_nothing(nothing):
    with pytest.raises(ParityError, match="nothing shows"):
        require_parity("merged", HEADS["causal"], nothing, nothing)


def test_fewer_answers_are_an_error():
    with pytest.raises(ValueError, match="zip"):
        require_parity("merged", HEADS["single"], SAME["single"], found(["bad"], [0.9, 0.1]))


@pytest.mark.parametrize(
    ("kind", "expected", "received"),
    [
        ("single", found(["bad"], [0.500001, 0.499999]), found(["good"], [0.499999, 0.500001])),
        ("multi", found([["fun"]], [0.1, 0.500001, 0.2]), found([[]], [0.1, 0.499999, 0.2])),
        ("tags", found([["a"]], [[0.4, 0.400001, 0.2]]), found([[]], [[0.400001, 0.4, 0.2]])),
        ("number", found([1000.0], [1000.0]), found([1000.05], [1000.05])),
    ],
)
def test_a_difference_within_the_tolerance_on_a_tie_is_parity(kind, expected, received):
    assert require_parity("merged", HEADS[kind], expected, received).agreeing == 1
