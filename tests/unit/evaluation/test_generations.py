"""Generated texts beside those that were wanted."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from luthier.evaluation.aspects import generations
from luthier.evaluation.aspects.generations import Generations, examine
from luthier.evaluation.evaluated import Evaluated
from luthier.tasks import TASKS
from luthier.tasks.head import Head
from luthier.tasks.task import Predictions
from tests.unit.evaluation.answered import SAMPLES
from tests.unit.evaluation.examinations import examination

LEARNED = "To be or not to be, that is the question whether it is nobler"
COPY = "He said: to be or not to be, that is the Question!"


def texts(answers: list[str | None], *, wanted: list[str] | None = None, cut: tuple[bool, ...] = ()) -> Evaluated:
    count = len(answers)
    table = pa.table(
        {
            "row": range(count),
            "text": [f"the long text of row {row} says much more" for row in range(count)],
            "pair": pa.nulls(count, pa.string()),
            "label": wanted or [f"wanted text {row}" for row in range(count)],
        }
    )
    nothing = [np.empty(0, dtype=np.float32)] * count
    return Evaluated(TASKS["summarization"], Head("causal-lm"), "text", table, Predictions(answers, nothing, cut), {})


def found_of(test: Evaluated, train: list[str | None]) -> Generations:
    found = examine(examination(test, train=pa.table({"label": train})))
    assert found is not None
    return found


def test_copies_of_training_answers_are_found_beside_those_that_the_wanted_texts_have() -> None:
    test = texts([COPY, "nothing of it", LEARNED.upper(), ""], wanted=["new", "newer", COPY, "newest"])
    found = found_of(test, [LEARNED, None, "another"])
    tuned, wanted = found.authors["fine-tuned"], found.authors["wanted"]
    assert (tuned.copying.value, wanted.copying.value) == (0.5, 0.25)
    # All words and the mark of the training answer.
    assert tuned.longest == 15
    assert [(copy.words, copy.text) for copy in found.copies] == [
        (15, LEARNED.upper()),
        (11, "to be or not to be, that is the Question"),
    ]
    assert tuned.copied.value == pytest.approx((11 / 15 + 0 + 1 + 0) / 4)
    # The capitals do not make it another text.
    assert tuned.near.value == 0.25
    assert (found.searched, found.training) == (2, 2)
    assert tuned.empty == 1 and wanted.empty == 0


def test_lengths_ends_and_repetition() -> None:
    test = texts(["no " * 12, "a b c d e", "a b c d e"], wanted=["a b"] * 3, cut=(True, False, False))
    found = found_of(test, ["x"])
    tuned = found.authors["fine-tuned"]
    assert tuned.lengths == (12, 5, 5) and tuned.quantiles[2] == 5
    assert found.length_ratio.value == pytest.approx(22 / 6)
    assert tuned.cut is not None and tuned.cut.value == pytest.approx(1 / 3)
    assert found.authors["wanted"].cut is None
    assert tuned.repetition is not None and tuned.repetition.value == pytest.approx((8 / 9) / 3)
    # Texts of two words have no 4-grams.
    assert found.authors["wanted"].repetition is None
    assert tuned.different == 2
    assert tuned.distinct[0] == pytest.approx(6 / 22)


def test_where_nothing_was_copied_the_interval_still_says_how_little_is_known() -> None:
    found = found_of(texts([f"answer number {row} of them" for row in range(20)]), ["x"])
    copied = found.authors["fine-tuned"].copied
    assert copied.value == 0 and 0.1 < copied.high < 0.2


def test_summaries_say_how_much_they_extract_and_conversations_do_not() -> None:
    extract, own = "row 0 says much more", "completely different words here"
    tuned = found_of(texts([extract, own]), ["x"]).authors["fine-tuned"]
    assert tuned.coverage is not None and tuned.coverage.value == 0.5
    assert tuned.density is not None and tuned.density.value == pytest.approx((5**2 / 5 + 0) / 2)
    found = examine(examination(SAMPLES["generations"]()))
    assert found is not None and found.authors["fine-tuned"].coverage is None
    assert list(found.authors) == ["wanted", "fine-tuned", "untuned base"]
    assert len(found.authors["untuned base"].lengths) == 8


def test_of_many_training_answers_a_random_part_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "TOKENS_READ", 50)
    found = found_of(texts(["a b"]), [f"answer {row}" for row in range(1000)])
    assert (found.searched, found.training) == (25, 1000)


def test_there_is_nothing_to_say_of_other_tasks_or_where_nothing_was_generated() -> None:
    assert examine(examination(SAMPLES["tags"]())) is None
    test = SAMPLES["generations"]()
    none = replace(test.predictions, answers=[None] * len(test.rows))
    assert examine(examination(replace(test, predictions=none))) is None
