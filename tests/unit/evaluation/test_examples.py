from collections.abc import Callable

import numpy as np
import pytest

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.examples import chosen_examples
from luthier.evaluation.scores import point
from tests.unit.evaluation.answered import SAMPLES

Rows = Callable[..., Evaluated]


def test_mistakes_are_the_wrong_rows_surest_first(test_rows: Rows) -> None:
    test = test_rows(("no", "yes"))
    found = chosen_examples(test)
    labels, outputs = test.rows["label_id"].to_numpy(), test.outputs
    wrong = outputs.max(axis=1)[outputs.argmax(axis=1) != labels]
    assert (found.kind, found.number, found.among) == ("mistakes", "probability", len(wrong))
    assert [example.number for example in found.rows] == sorted(wrong.tolist(), reverse=True)[:20]
    for example in found.rows:
        row = int(example.text.split()[-1])
        assert example.expected == test.head.labels[labels[row]] != example.given


def test_a_mistake_in_several_labels_is_as_sure_as_its_surest_wrong_label() -> None:
    found = chosen_examples(SAMPLES["multi-label"]())
    assert found.among == 20
    surest = found.rows[0]
    assert (surest.text, surest.expected, surest.given) == ("text 1", "warm, old", "warm")
    assert surest.number == pytest.approx(0.7)
    assert [example.expected for example in found.rows[10:]] == ["–"] * 10


def test_numbers_show_their_largest_errors_and_both_texts() -> None:
    found = chosen_examples(SAMPLES["regression"]())
    assert (found.kind, found.number) == ("worst", "error")
    assert [example.number for example in found.rows[:5]] == pytest.approx([2.5] * 5)
    assert found.rows[5].number == pytest.approx(0.1, rel=1e-5)
    assert found.rows[0].text.endswith(" | beside")


def test_entities_show_the_rows_with_the_lowest_f1() -> None:
    found = chosen_examples(SAMPLES["tags"]())
    assert found.among == 5
    assert [example.number for example in found.rows] == pytest.approx([0, 0, 2 / 3, 2 / 3, 2 / 3])
    assert (found.rows[0].expected, found.rows[0].given) == ("Anna (PER), Rome (LOC)", "Rome (PER)")


def test_answers_show_the_question_first_and_what_was_acceptable() -> None:
    found = chosen_examples(SAMPLES["questions"]())
    assert found.among == 3
    worst, *_, nearest = found.rows
    assert worst.text == "Who paid for it? | It was built in 1889 by Eiffel."
    assert (worst.expected, worst.given, worst.number) == ("–", "Eiffel", 0.0)
    assert (nearest.expected, nearest.given) == ("1889 | in 1889", "built in 1889 by")


def test_generations_are_the_first_rows_right_or_wrong_beside_their_references() -> None:
    test = SAMPLES["generations"]()
    found = chosen_examples(test)
    assert (found.kind, found.among, len(found.rows)) == ("sample", 8, 8)
    assert [example.text for example in found.rows] == test.rows["text"].to_pylist()[:8]
    assert found.rows[1].number == 1.0
    first = found.rows[2]
    assert first.number == point("chrf", [first.expected], [first.given]) < 1


def test_at_most_twenty_rows_are_shown(test_rows: Rows) -> None:
    test = test_rows(("a", "b", "c"), rows=2000)
    found = chosen_examples(test)
    assert len(found.rows) == 20 < found.among
    assert found.among == int((test.outputs.argmax(axis=1) != test.rows["label_id"].to_numpy()).sum())
    assert np.isfinite([example.number for example in found.rows]).all()
