import re
from collections.abc import Callable

import numpy as np
import pytest

from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.page import render_page
from luthier.evaluation.report import EvaluationReport
from luthier.evaluation.wording import interval_sentence, verdict_sentence
from tests.html_page import Page

Rows = Callable[..., Evaluated]
Make = Callable[..., EvaluationReport]
History = list[dict[str, float]]


@pytest.fixture
def page(test_rows: Rows, make_report: Make, history: History, hostile: str) -> Page:
    """A page whose every text is hostile."""
    report = make_report(test_rows((hostile, f"b{hostile}"), texts=hostile), recipe=hostile, digests={hostile: hostile})
    return Page(render_page(report, history))


def test_texts_from_data_stay_texts(page: Page, hostile: str) -> None:
    assert not page.tags & {"script", "img", "b onerror", "iframe", "object", "embed", "base", "link"}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.text.count(hostile) >= 25
    assert "49" not in re.findall(r"\]\]> --> (\d+)", page.text)


def test_nothing_is_loaded_from_outside(page: Page) -> None:
    loading = ("src", "srcset", "data", "action", "poster", "background")
    assert not [name for name, _ in page.attributes if name in loading]
    references = [value for name, value in page.attributes if name in ("href", "xlink:href")]
    assert references
    assert all(value.startswith("#") for value in references)
    values = " ".join(value for _, value in page.attributes)
    assert not re.search(r"https?:|//|url\((?!['\"]?#)", values + page.text.replace("</", ""))
    assert "@import" not in page.text


def test_every_shared_mark_that_a_picture_uses_is_in_the_page(page: Page) -> None:
    ids = {value for name, value in page.attributes if name == "id"}
    used = {value[1:] for name, value in page.attributes if name in ("href", "xlink:href")}
    clips = set(re.findall(r"url\(#(\w+)\)", " ".join(value for _, value in page.attributes)))
    assert used | clips <= ids


def test_the_page_answers_top_down(test_rows: Rows, make_report: Make, history: History) -> None:
    report = make_report(test_rows(("no", "yes")))
    text = " ".join(Page(render_page(report, history)).text.split())
    order = ["Conditions", "Scores", "Labels", "Most confident mistakes", "Intervals", "Training", "Where it came from"]
    places = [text.index(part) for part in [verdict_sentence(report), interval_sentence(report), *order]]
    assert places == sorted(places)
    assert "train 1,400, validation 300, test 300, rejected 2" in text


def test_pictures_take_the_colours_of_the_page(test_rows: Rows, make_report: Make, history: History) -> None:
    page = render_page(make_report(test_rows(("no", "yes"))), history)
    drawn = page[page.index("<svg") :]
    assert "var(--accent)" in drawn
    assert not re.findall(r"(?:fill|stroke): #(?!fff)\w+", drawn)


def test_a_model_without_mistakes_gets_a_page(make_rows: Rows, make_report: Make, history: History) -> None:
    labels = np.arange(60) % 2
    perfect = make_report(make_rows(("no", "yes"), labels, np.eye(2)[labels]))
    assert "every test row was predicted right" in render_page(perfect, history)


def test_every_task_gets_a_page_of_what_it_has(sample: Evaluated, make_report: Make, history: History) -> None:
    metric = sample.task.metrics(sample.label_kind)[0]
    report = make_report(sample, metric=metric)
    text = " ".join(Page(render_page(report, history)).text.split())
    heading = {"mistakes": "Most confident mistakes", "worst": "Worst rows", "sample": "Generated texts"}
    assert heading[report.examples.kind] in text
    assert report.examples.rows[0].expected in text
    assert ("Labels" in text) == (sample.label_kind == "multi")
    assert "Rows of the matrix" not in text
