import re
from collections.abc import Callable

import pytest

from luthier.data_report.page import render_page
from luthier.data_report.report import DataReport
from tests.html_page import Page

Make = Callable[..., DataReport]
RIGHT_TO_LEFT = "שלום עולם, 3 סרטים!"


@pytest.fixture
def page(make_report: Make, hostile: str) -> Page:
    """A page whose every text is hostile."""
    leaks = {"near": {"train/test": 2}}
    report = make_report(
        (hostile, f"b{hostile}"), text=hostile, recipe=hostile, leaks=leaks, class_weights={hostile: 1.5}
    )
    return Page(render_page(report))


def test_texts_from_data_stay_texts(page: Page, hostile: str) -> None:
    assert not page.tags & {"script", "img", "iframe", "object", "embed", "a", "base", "link", "red"}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    # Previews and their labels, both labels, every example, the nearest pair, weights, source, recipe.
    assert page.text.count(hostile) >= 2 * 15 + 2 + 11
    assert "49" not in re.findall(r"\]\]> --> (\d+)", page.text)


def test_nothing_is_loaded_from_outside(page: Page) -> None:
    loading = ("src", "srcset", "data", "action", "poster", "background")
    assert not [name for name, _ in page.attributes if name in loading]
    assert all(value.startswith("#") for name, value in page.attributes if name in ("href", "xlink:href"))
    policies = [value for name, value in page.attributes if name == "content" and value.startswith("default-src")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_texts_from_right_to_left_are_isolated_and_turn_nothing_around(make_report: Make) -> None:
    report = make_report((RIGHT_TO_LEFT, "yes"), text=RIGHT_TO_LEFT, leaks={"near": {"train/test": 1}})
    page = Page(render_page(report))
    assert not [value for name, value in page.attributes if name == "dir"]
    isolated = "".join(page.isolated)
    assert isolated.count(RIGHT_TO_LEFT) == page.text.count(RIGHT_TO_LEFT) > 40


def test_the_page_answers_top_down(make_report: Make) -> None:
    text = " ".join(Page(render_page(make_report())).text.split())
    order = [
        "No leak found between 100 rows in three splits.",
        "107 rows read: 100 used",
        "Splits and labels",
        "Lengths",
        "No text is longer than max_length 16",
        "Rejected rows",
        "Conflicting labels",
        "Near-duplicates",
        "Nearest pair across splits",
        "Preview",
        "Where it came from",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert text.index("duplicate 5") < text.index("empty text 1")


def test_leaks_decide_the_verdict_and_are_shown(make_report: Make) -> None:
    clean = render_page(make_report())
    leaky = render_page(
        make_report(leaks={"exact": {"train/test": 2, "train/validation": 0}, "near": {"train/test": 1}})
    )
    assert '<header class="met">' in clean
    assert '<header class="short">' in leaky
    text = " ".join(Page(leaky).text.split())
    assert "3 leaks found between 100 rows in three splits: 2 exact, 1 near." in text
    assert "exact train/test 2" in text
    assert "train/validation" not in text


def test_many_labels_all_stand_in_the_table_and_too_many_are_counted(make_report: Make) -> None:
    labels = [f"label {number:03d}" for number in range(130)]
    few = Page(render_page(make_report(labels[:70]))).text
    assert all(label in few for label in labels[:70])
    balance = {
        split: {label: 130 - place for place, label in enumerate(labels)} for split in ("train", "validation", "test")
    }
    many = Page(render_page(make_report(labels, balance=balance))).text
    assert labels[99] in many
    assert "30 labels more are left out" in " ".join(many.split())


def test_a_label_that_a_split_lacks_is_said(make_report: Make) -> None:
    balance = {"train": {"no": 30, "yes": 30}, "validation": {"no": 20, "yes": 0}, "test": {"no": 10, "yes": 10}}
    text = Page(render_page(make_report(balance=balance))).text
    assert "The validation split has no row of 1 label." in text
    assert "The test split" not in text


def test_estimates_are_marked_where_they_stand(make_report: Make) -> None:
    text = Page(render_page(make_report(lengths={"estimated_from": 10, "over": 2, "lost": 9}))).text
    assert text.count("(estimated)") == 3
    assert "About 6 of 100 texts" in text
    assert "(estimated)" not in Page(render_page(make_report())).text


def test_rows_without_labels_rejects_repeats_or_neighbours_get_a_page(make_report: Make) -> None:
    report = make_report(
        balance={},
        rejected_by_reason={},
        conflicts={"texts": 0, "rows": 0, "examples": []},
        near_duplicates={"pairs": 0, "threshold": 0.8, "examples": []},
    )
    report.leaks["nearest"] = None
    text = Page(render_page(report)).text
    assert "no text stood with two labels" in text
    assert "no two texts have a similarity of 0.8 or more" in text
    assert "No two texts of different splits came near each other." in text
