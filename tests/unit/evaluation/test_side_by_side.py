"""The same rows answered by several models."""

import re
from dataclasses import replace

import numpy as np
import pytest

from luthier.evaluation.aspects import examined
from luthier.evaluation.aspects.side_by_side import SideBySide, examine
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.examination import Examination
from luthier.evaluation.page import render_page
from luthier.evaluation.report import read_report, write_report
from luthier.evaluation.scores import point
from tests.html_page import Page
from tests.unit.evaluation.answered import SAMPLES
from tests.unit.evaluation.examinations import champion, examination


def found_of(given: Examination) -> SideBySide:
    found = examine(given)
    assert found is not None
    return found


def test_rows_that_the_new_model_gained_and_lost(test_rows) -> None:
    test: Evaluated = test_rows(("no", "yes"))
    places = list(range(0, 300, 2))
    labels = test.rows["label"].to_pylist()
    mine = [test.predictions.answers[row] for row in places]
    other = [labels[row] if place % 3 else "yes" for place, row in enumerate(places)]
    right, known = ([a == labels[row] for a, row in zip(by, places, strict=True)] for by in (mine, other))
    found = found_of(examination(test, champion=champion(test, other, places)))
    assert (found.beside, found.version, found.rows) == ("champion", "3", 150)
    assert found.gained == sum(a and not b for a, b in zip(right, known, strict=True)) > 0
    assert found.lost == sum(b and not a for a, b in zip(right, known, strict=True)) > 0
    assert len(found.gains) == min(10, found.gained) and len(found.losses) == min(10, found.lost)
    for row in found.gains:
        assert row.answers["fine-tuned"] == row.expected != row.answers["champion"]
    for row in found.losses:
        assert row.answers["champion"] == row.expected != row.answers["fine-tuned"]
    assert found.sample == ()


def test_generated_texts_stand_beside_the_base_where_there_is_no_champion() -> None:
    test = SAMPLES["generations"]()
    base = replace(test.baselines["untuned base"], answers=[f"base {row}" for row in range(30)])
    test = replace(test, baselines={**test.baselines, "untuned base": base})
    found = found_of(examination(test))
    assert (found.beside, found.version, found.rows, len(found.sample)) == ("untuned base", None, 8, 8)
    for row in found.sample:
        wanted, given, other = row.expected, row.answers["fine-tuned"], row.answers["untuned base"]
        expected = point("chrf", [wanted], [given]) - point("chrf", [wanted], [other])
        assert row.gain == pytest.approx(expected)
    assert [row.gain for row in found.gains] == sorted((row.gain for row in found.gains), reverse=True)
    assert examine(examination(test)) == found


def test_the_champion_stands_between_the_base_and_the_new_model_on_rows_that_all_answered() -> None:
    test = SAMPLES["generations"]()
    answers = [f"this is number {row}" if row < 6 else None for row in range(2, 30)]
    found = found_of(examination(test, champion=champion(test, answers, list(range(2, 30)))))
    assert found.rows == 4
    assert list(found.sample[0].answers) == ["untuned base", "champion", "fine-tuned"]
    assert (found.gained, found.lost) == (0, 2)
    assert {row.text for row in found.losses} == {"user: say 2", "user: say 4"}


@pytest.mark.parametrize("kind", ["multi-label", "regression", "tags", "questions"])
def test_every_other_task_has_rows_too_and_a_champion_that_answers_alike_changes_none(kind: str) -> None:
    test = SAMPLES[kind]()
    places = list(range(len(test.rows)))
    same = champion(test, list(test.predictions.answers), places)
    if kind == "regression":
        assert found_of(examination(test, champion=same)).gained == 0
        return
    found = found_of(examination(test, champion=same))
    assert (found.gained, found.lost, found.gains, found.losses) == (0, 0, (), ())
    turned = list(test.predictions.answers)[::-1]
    found = found_of(examination(test, champion=champion(test, turned, places)))
    assert found.gained and found.gains and found.gains[0].gain > 0


def test_without_a_champion_there_is_nothing_beside_a_classifier(test_rows) -> None:
    assert examine(examination(test_rows(("no", "yes")))) is None


def hostile_texts(hostile: str) -> Examination:
    """Every text of a summarization is hostile."""
    test = SAMPLES["generations"]()
    text = [f"{hostile}{row}" for row in range(30)]
    answers = [hostile + "same words" * 4 if row < 8 else None for row in range(30)]
    rows = test.rows.set_column(1, "text", [text]).set_column(3, "label", [text])
    base = replace(test.baselines["untuned base"], answers=answers)
    found = replace(test, rows=rows, baselines={"untuned base": base})
    found = replace(found, predictions=replace(test.predictions, answers=answers))
    return examination(found, champion=champion(found, text, list(range(30))))


def hostile_questions(hostile: str) -> Examination:
    test = SAMPLES["questions"]()
    rows = test.rows.set_column(2, "pair", [[f"When {hostile}"] * 10 + [hostile] * 10])
    answers = [hostile] * 10 + [""] * 10
    evidence = [np.array([1, 1, place % 5, 2, 0, 1], dtype=np.float32) for place in range(20)]
    test = replace(test, rows=rows, predictions=replace(test.predictions, evidence=evidence))
    return examination(test, champion=champion(test, answers, list(range(20))))


@pytest.mark.parametrize("make", [hostile_texts, hostile_questions])
def test_texts_from_data_stay_texts_and_the_report_is_read_back(
    make, hostile: str, make_report, history, tmp_path
) -> None:
    given = make(hostile)
    aspects = examined(given)
    assert not aspects.impossible
    report = make_report(given.test, metric=given.known.evaluation.metric, aspects=aspects)
    page = Page(render_page(report, history))
    assert not page.tags & {"script", "img", "iframe", "object", "embed", "base", "link"}
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.text.count(hostile) >= 10
    assert "49" not in re.findall(r"\]\]> --> (\d+)", page.text)
    for heading in ("Side by side", "Texts" if make is hostile_texts else "Answers"):
        assert heading in page.text
    write_report(report, history, tmp_path)
    assert read_report(tmp_path) == report
