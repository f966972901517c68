"""Two reports of the same rows, of every task: paired metrics, and the rows that each answers better."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from luthier.errors import LuthierError
from luthier.evaluation.answers_file import write_answers
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.report import EvaluationReport
from luthier.evaluation.test_reads import Reading, TestReads
from luthier.evaluation.versus import Side, versus
from luthier.evaluation.versus_page import render_versus
from tests.html_page import Page
from tests.unit.evaluation.answered import generations, multi_label, regression, tags

Make = Callable[..., EvaluationReport]
Sides = Callable[..., list[Side]]


@pytest.fixture
def sides(make_report: Make, tmp_path: Path) -> Sides:
    """Reports of what was answered, as evaluations leave them, of models whose splits are not the same."""

    def made(*tests: Evaluated) -> list[Side]:
        found = []
        for name, test in zip(("new", "old"), tests, strict=True):
            folder = tmp_path / name
            folder.mkdir()
            write_answers(test, folder)
            metric = test.task.metrics(test.label_kind)[0]
            report = make_report(test, metric=metric, digests={"cleaned_splits": name})
            found.append(Side(name, report, folder, {"training.epochs": len(found)}))
        return found

    return made


def spoiled(test: Evaluated) -> Evaluated:
    """The first row, which is answered well, has the answer of the next row that has another."""
    answers, evidence = list(test.predictions.answers), list(test.predictions.evidence)
    other = next(row for row, answer in enumerate(answers) if answer != answers[0])
    answers[0], evidence[0] = answers[other], evidence[other]
    return replace(test, predictions=replace(test.predictions, answers=answers, evidence=evidence))


def test_a_spoiled_row_is_gained_and_shown_as_people_read_it(sample: Evaluated, sides: Sides) -> None:
    found = versus(*sides(sample, spoiled(sample)))
    assert found.unpaired is None and found.settings == (("training.epochs", "0", "1"),)
    assert found.counts == (1, 0)
    (row,) = found.gained
    assert row.first != row.second
    assert not {"{", "["} & set(row.expected + row.first + row.second)
    text = Page(render_versus(found)).text
    assert found.sentence in text and row.first in text and "Better by new" in text


def test_the_same_answers_are_neither_better_nor_worse(sample: Evaluated, sides: Sides) -> None:
    found = versus(*sides(sample, sample))
    assert found.counts == (0, 0) and found.gained == found.lost == ()
    assert "not surely other than" in found.sentence


@pytest.mark.parametrize("make", [multi_label, regression, generations])
def test_the_same_rows_in_another_order_are_paired_row_by_row(make: Callable[[], Evaluated], sides: Sides) -> None:
    test = make()
    found = versus(*sides(test, spoiled(test).chosen(range(len(test.rows))[::-1])))
    assert found.unpaired is None and found.counts == (1, 0)
    # The answer that spoils a row has other tokens than the row's own.
    assert {each.metric for each in found.metrics if each.paired is None} <= {"perplexity"}


def test_paired_intervals_are_corrected_for_the_readings_of_the_side_that_was_read_more_often(sides: Sides) -> None:
    one, other = sides(multi_label(), spoiled(multi_label()))
    reading = Reading("reviews", "adapter", "lora", 17, "accuracy", "2026-03-02T12:00:00+00:00")
    later = replace(other, report=replace(other.report, reads=TestReads((reading,) * 5)))
    first, second = (versus(one, side) for side in (other, later))
    for once, often in zip(first.metrics, second.metrics, strict=True):
        assert once.paired is not None and often.paired is not None
        assert once.paired.value == often.paired.value
        assert (once.paired.confidence, often.paired.confidence) == (pytest.approx(0.95), pytest.approx(0.99))
        assert often.paired.low <= once.paired.low and often.paired.high >= once.paired.high
    widths = [found.metrics[0].paired.high - found.metrics[0].paired.low for found in (first, second)]
    assert widths[0] < widths[1]
    assert "(95 % interval" in first.sentence and "(99 % interval" in second.sentence
    assert "(99 % interval" in versus(later, one).sentence


def test_other_tokens_are_not_paired_by_perplexity(sides: Sides) -> None:
    test = generations()
    longer = [np.append(losses, np.float32(0.1)) for losses in test.predictions.evidence]
    found = versus(*sides(test, replace(test, predictions=replace(test.predictions, evidence=longer))))
    paired = {each.metric: each.paired is not None for each in found.metrics}
    assert paired.pop("perplexity") is False and all(paired.values())


def test_other_rows_and_unknown_answers_are_not_paired(sides: Sides) -> None:
    test = multi_label()
    texts = pa.array([f"other {text}" for text in test.rows["text"].to_pylist()])
    place = test.rows.column_names.index("text")
    one, other = sides(test, replace(test, rows=test.rows.set_column(place, "text", texts)))
    assert "test rows differ" in str(versus(one, other).unpaired)
    assert all(each.paired is None and each.said_gain == "" for each in versus(one, other).metrics)
    (other.folder / "predictions.parquet").unlink()
    assert "older than comparisons" in str(versus(one, other).unpaired)


@pytest.mark.parametrize("second", [tags, regression])
def test_what_has_no_metric_in_common_is_refused(second: Callable[[], Evaluated], sides: Sides) -> None:
    with pytest.raises(LuthierError, match="different tasks"):
        versus(*sides(multi_label(), second()))
