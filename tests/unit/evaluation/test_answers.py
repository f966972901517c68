"""Questions answered by length, by question word and by kind, and questions without an answer."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics

from luthier.evaluation.answer_kinds import answer_kind, answer_length, question_kind
from luthier.evaluation.aspects.answers import Answers, examine
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.scores import point, score
from luthier.tasks.head import Head
from luthier.tasks.question_answering import QuestionAnswering
from luthier.tasks.task import Predictions
from tests.unit.evaluation.answered import SAMPLES
from tests.unit.evaluation.examinations import examination

TEXT = "Gustave Eiffel built it in March 1889 with 300 workers."
ASKED = {"Who built it?": "Gustave Eiffel", "When?": "March 1889", "With how many?": "300 workers"}


def questions(seed: int = 0, rows: int = 300) -> Evaluated:
    """A third has no answer; an answer is given where it scores more than none, more often where there is one."""
    random = np.random.default_rng(seed)
    asked = [list(ASKED)[row % 3] for row in range(rows)]
    without = random.random(rows) < 1 / 3
    margins = random.normal(np.where(without, -0.5, 1.5), 1.5).astype(np.float32)
    answers = [ASKED[question] if m >= 0 else "" for question, m in zip(asked, margins, strict=True)]
    return answered(asked, without, answers, margins)


def answered(asked: list[str], without: Any, answers: list[str], margins: Any) -> Evaluated:
    labels = [
        [] if none else [{"start": TEXT.index(ASKED[q]), "end": TEXT.index(ASKED[q]) + len(ASKED[q])}]
        for q, none in zip(asked, without, strict=True)
    ]
    count = len(asked)
    table = pa.table({"row": range(count), "text": [TEXT] * count, "pair": asked, "label": labels})
    evidence = [np.array([0.5, 0.5, margin, 0, 0, 4], dtype=np.float32) for margin in margins]
    head = Head("question-answering")
    return Evaluated(QuestionAnswering(), head, "answers", table, Predictions(answers, evidence))


def found_of(test: Evaluated, **changed: Any) -> Answers:
    found = examine(examination(test, **changed))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Whom did Ann meet?", "who"),
        ("In what year, and who asked?", "what"),
        ("HOW MUCH is it", "how many, much"),
        ("how is it", "how"),
        ("Name the somewhat whatever", "other"),
        ("何ですか", "other"),
    ],
)
def test_a_question_is_of_its_first_question_words_kind(question: str, kind: str) -> None:
    assert question_kind(question) == kind


@pytest.mark.parametrize(
    ("answer", "kind", "length"),
    [
        ("in 1889", "date", "2 words"),
        ("the early 1990s", "date", "3 to 5 words"),
        ("14 March", "date", "2 words"),
        ("1500 people", "number", "2 words"),
        ("two", "number", "1 word"),
        ("The Bank of England", "name", "3 to 5 words"),
        ("red wine", "other", "2 words"),
        ("of the", "other", "2 words"),
        ("a b c d e f g h i j k", "other", "11 words or more"),
        ("数学教師です", "other", "6 to 10 words"),
        (None, "no answer", "no answer"),
    ],
)
def test_an_answer_has_a_kind_and_a_length(answer: str | None, kind: str, length: str) -> None:
    assert (answer_kind(answer), answer_length(answer)) == (kind, length)


def test_each_group_is_scored_as_its_rows_alone_would_be_and_all_rows_are_in_one() -> None:
    test = questions()
    found = found_of(test)
    gold, given = test.compared("squad_f1")
    assert found.whole.f1 == score("squad_f1", gold, given)
    for groups in found.groups.values():
        assert sum(group.rows for group in groups) == len(test.rows)
    who = [row for row, question in enumerate(test.rows["pair"].to_pylist()) if question == "Who built it?"]
    (group,) = [group for group in found.groups["question word"] if group.name == "who"]
    assert group.f1 == score("squad_f1", [gold[row] for row in who], [given[row] for row in who])
    assert group.exact_match == score("exact_match", [gold[row] for row in who], [given[row] for row in who])


def test_no_answer_is_counted_as_scikit_learn_does() -> None:
    test = questions()
    gold, given = test.compared("squad_f1")
    wanted, none = [not row for row in gold], [not answer for answer in given]
    found = found_of(test).no_answer
    assert found.precision is not None and found.recall is not None and found.answerable is not None
    assert found.precision.value == pytest.approx(metrics.precision_score(wanted, none))
    assert found.recall.value == pytest.approx(metrics.recall_score(wanted, none))
    assert found.precision.low < found.precision.value < found.precision.high
    having = [row for row, without in enumerate(wanted) if not without]
    assert found.answerable.rows == len(having)
    expected = point("squad_f1", [gold[row] for row in having], [given[row] for row in having])
    assert found.answerable.f1.value == pytest.approx(expected)


def test_the_sweep_says_what_would_be_and_at_0_what_is() -> None:
    test = questions()
    found = found_of(test)
    (served,) = [step for step in found.sweep if step.margin == 0]
    none = found.no_answer
    assert none.precision is not None and none.recall is not None
    assert served.precision == pytest.approx(none.precision.value) and served.recall == pytest.approx(none.recall.value)
    assert served.f1 == pytest.approx(found.whole.f1.value)
    assert all((step.f1 is None) == (step.margin < 0) for step in found.sweep)
    recalls = [step.recall for step in found.sweep]
    assert recalls == sorted(recalls)


def test_a_stricter_margin_is_chosen_on_validation_rows_alone() -> None:
    # Of answers that score less than 2 more than none, all are wrong: a margin of 2 is better for both splits.
    margins = np.linspace(0, 4, 200)
    asked = ["Who built it?"] * 200
    validation = answered(asked, margins < 2, ["Gustave Eiffel"] * 200, margins)
    found = found_of(validation).stricter
    assert found is not None
    assert found.margin == pytest.approx(2, abs=0.05)
    assert found.validation_gain == pytest.approx(0.5, abs=0.02)
    assert found.test_gain.value == pytest.approx(found.validation_gain)
    # Where the test rows are the other way round, it loses there, and that is said.
    other = found_of(answered(asked, margins >= 2, ["Gustave Eiffel"] * 200, margins), validation=validation).stricter
    assert other is not None and other.test_gain.value < 0


def test_without_unanswerable_questions_there_is_no_sweep_and_without_questions_no_aspect() -> None:
    asked = ["Who built it?", "When?"] * 5
    given = ["Gustave Eiffel", ""] * 5
    found = found_of(answered(asked, [False] * 10, given, [1, -1] * 5))
    assert (found.no_answer.wanted, found.no_answer.given, found.no_answer.recall) == (0, 5, None)
    assert found.no_answer.precision is not None and found.no_answer.precision.value == 0
    assert found.sweep == () and found.stricter is None
    assert examine(examination(SAMPLES["tags"]())) is None
