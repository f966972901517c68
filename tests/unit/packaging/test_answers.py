"""Answers in columns: which differences are none, and which rows can be asked."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.errors import DataError, ParityError
from luthier.packaging.answers import Asked, KeptAnswers, asked_rows, number_difference, require_same_answers
from luthier.packaging.serving import answer_columns, rows_of
from luthier.tasks.task import Predictions
from tests.unit.packaging.tuned import ASKED, HEADS, TEXTS, rows

SPAN = {"start": 0, "end": 3, "label": "thing", "text": "the"}
# What a model of each kind answers to one row, with the evidence of it.
ANSWERS: dict[str, tuple[Any, list[float]]] = {
    "single": ("good", [0.2, 0.8]),
    "multi": (["fun"], [0.1, 0.9, 0.2]),
    "number": (1.5, [1.5]),
    "answers": ("film", [0.9, 0.8, 0.1, 0.1, 4, 8]),
    "causal": ("so it was", [0.5, 0.25]),
}


def asked(kind: str, count: int = 3) -> Asked:
    answer, evidence = ANSWERS[kind]
    texts = pa.table({"text": TEXTS[:count]})
    return Asked(texts, Predictions([answer] * count, [np.array(evidence, dtype=np.float32)] * count))


def columns(kind: str) -> list[dict[str, Any]]:
    """As they come back over HTTP."""
    given = asked(kind).answers
    pairs = zip(given.answers, given.evidence, strict=True)
    return json.loads(
        json.dumps([answer_columns(*pair, HEADS[kind]) for pair in pairs], default=lambda value: value.item())
    )


@pytest.mark.parametrize("kind", ANSWERS)
def test_the_same_answers_agree_and_any_other_text_does_not(kind):
    parity = require_same_answers("served", asked(kind), columns(kind), HEADS[kind])
    assert (parity.agreeing, parity.rows, parity.tolerance) == (3, 3, 1e-4) and parity.largest_difference < 1e-6
    if kind == "number":
        return
    received = columns(kind)
    name = next(name for name, value in received[1].items() if isinstance(value, str) and name != "probabilities")
    received[1][name] = "another"
    with pytest.raises(ParityError, match="1 of 3 predictions differ"):
        require_same_answers("served", asked(kind), received, HEADS[kind])


@pytest.mark.parametrize(("kind", "name"), [("single", "probability"), ("number", "value"), ("answers", "score")])
@pytest.mark.parametrize(("moved", "agrees"), [(5e-5, True), (1e-3, False), (float("nan"), False)])
def test_numbers_may_differ_by_rounding_and_not_by_more(kind, name, moved, agrees):
    received = columns(kind)
    received[0][name] += moved
    if agrees:
        assert require_same_answers("served", asked(kind), received, HEADS[kind]).agreeing == 3
    else:
        with pytest.raises(ParityError, match="1 of 3"):
            require_same_answers("served", asked(kind), received, HEADS[kind])


def test_probabilities_in_json_are_numbers_and_places_in_a_text_are_exact():
    received = columns("multi")
    probabilities = json.loads(received[0]["probabilities"])
    received[0]["probabilities"] = json.dumps({**probabilities, "fun": probabilities["fun"] + 1e-6})
    assert require_same_answers("served", asked("multi"), received, HEADS["multi"]).agreeing == 3
    received[0]["probabilities"] = json.dumps({"fun": 0.9})
    with pytest.raises(ParityError, match="inf"):
        require_same_answers("served", asked("multi"), received, HEADS["multi"])
    moved = columns("answers")
    moved[2]["end"] += 1
    with pytest.raises(ParityError):
        require_same_answers("served", asked("answers"), moved, HEADS["answers"])


def test_a_tie_may_be_answered_either_way_and_a_missing_column_or_row_is_no_answer():
    tied = Asked(pa.table({"text": ["a"]}), Predictions(["good"], [np.array([0.5, 0.5], dtype=np.float32)]))
    other = [{"label": "bad", "probability": 0.5}]
    assert require_same_answers("served", tied, other, HEADS["single"]).agreeing == 1
    with pytest.raises(ParityError):
        require_same_answers("served", tied, [{"label": "bad"}], HEADS["single"])
    with pytest.raises(ValueError, match="zip"):
        require_same_answers("served", tied, [], HEADS["single"])
    with pytest.raises(ParityError, match="0 of 0"):
        nothing = Asked(pa.table({"text": pa.array([], pa.string())}), Predictions([], []))
        require_same_answers("served", nothing, [], HEADS["single"])


@given(st.dictionaries(st.sampled_from("abc"), st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_difference_is_none_to_itself_and_infinite_to_what_is_no_number(numbers):
    assert number_difference(numbers, numbers) == 0
    name = next(iter(numbers))
    assert number_difference(numbers, {**numbers, name: float("nan")}) == float("inf")
    assert number_difference(numbers, {}) == float("inf")


def test_rows_that_a_package_refuses_are_not_asked():
    given = rows(["the film", " ", "great"], pair=["why?", "how?", None])
    kept = asked_rows(given, asked("single").answers, ASKED["single"][0], None, HEADS["single"], 32)
    assert kept.rows.to_pylist() == [{"text": "the film", "pair": "why?"}]
    assert len(kept.answers.answers) == 1
    rows_of(kept.rows)
    with pytest.raises(DataError):
        rows_of(given.select(["text", "pair"]))


def test_kept_answers_come_back_and_a_changed_one_is_noticed(tmp_path):
    whole, received = asked("single"), columns("single")
    KeptAnswers.of(whole, received, HEADS["single"], tolerance=1e-4).write(tmp_path / "answers.json")
    kept = KeptAnswers.read(tmp_path / "answers.json")
    answers = dict(zip(TEXTS, received, strict=False))

    def ask(given: pa.Table) -> list[dict[str, Any]]:
        return [answers[text] for text in given["text"].to_pylist()]

    found = kept.require("registered", ask)
    assert str(found) == "registered: 3 of 3 agree within 1e-04, the largest difference is 0.0e+00"
    answers[TEXTS[1]] = {"label": "bad", "probability": received[1]["probability"]}
    with pytest.raises(ParityError, match="1 of 3"):
        kept.require("registered", ask)
