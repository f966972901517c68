"""The parts of the page, the Markdown and the JSON that say what classifiers do."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from luthier.evaluation.aspects import NAMES, Aspects, examined, tables
from luthier.evaluation.markdown import markdown_environment
from luthier.evaluation.page import render_page
from luthier.evaluation.report import read_report, report_data, write_report
from tests.html_page import Page
from tests.markdown_tables import tables as tables_of
from tests.unit.evaluation.classifiers import sampled, with_features
from tests.unit.evaluation.examinations import calibrated

OURS = ("curves", "thresholds", "reliability", "label_errors")
SPECIAL = '<script>alert("x")</script> | `b` [l](javascript:x)'


def aspects_of(names: tuple[str, ...], *, several: bool, text: str = "text") -> tuple[Aspects, object]:
    """What is found of random answers; features know the labels."""
    test, validation, train = (sampled(names, 300, several=several, seed=seed, text=text) for seed in (1, 2, 3))
    gold = np.asarray(train.compared("accuracy")[0])
    members = gold if several else np.eye(len(names))[gold]
    random = np.random.default_rng(0)
    features = members @ random.normal(size=(len(names), 16)) + random.normal(size=(300, 16))
    given = calibrated(test, validation, train.rows, features=with_features(train.rows, features))
    return examined(given), given


@pytest.mark.parametrize("several", [False, True])
def test_a_page_has_every_part_and_texts_from_data_stay_texts(
    several: bool, make_report, history, tmp_path: Path
) -> None:
    aspects, given = aspects_of((SPECIAL, "b", f"c{SPECIAL}"), several=several, text=SPECIAL)
    assert aspects.impossible == {} and set(OURS) - set(aspects.found()) == (set() if several else {"thresholds"})
    metric = "f1_micro" if several else "accuracy"
    report = make_report(given.test, metric=metric, aspects=aspects, calibration=given.calibration)
    page = Page(render_page(report, history))
    text = " ".join(page.text.split())
    headings = ["Precision, recall and ROC", "Likely label errors", *(["Thresholds"] if several else []), "Calibration"]
    places = [text.index(f"{heading} ") for heading in headings]
    assert places == sorted(places)
    assert not page.tags & {"script", "img", "iframe"}
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert " ".join(SPECIAL.split()) in text
    write_report(report, history, tmp_path)
    assert read_report(tmp_path) == report
    assert json.loads((tmp_path / "report.json").read_text())["aspects"] == json.loads(json.dumps(asdict(aspects)))


def test_what_dagster_keeps_of_a_report_has_no_text_of_a_row_and_stays_small(make_report) -> None:
    names = tuple(f"a rather long name of label {label}" for label in range(20))
    aspects, given = aspects_of(names, several=False, text=f"needle {'in a long row ' * 200}")
    report = make_report(given.test, aspects=aspects, calibration=given.calibration)
    whole, kept = (json.dumps(report_data(report, listings=listings)) for listings in (True, False))
    assert "needle" in whole and "needle" not in kept
    assert len(kept) < 200_000
    assert report_data(report, listings=False)["aspects"]["curves"] == report_data(report)["aspects"]["curves"]


@pytest.mark.parametrize("several", [False, True])
def test_markdown_parts_are_tables_that_texts_from_data_cannot_break(several: bool) -> None:
    aspects, _ = aspects_of((SPECIAL, "b", f"c{SPECIAL}"), several=several, text=SPECIAL)
    environment = markdown_environment()
    for name, found in aspects.found().items():
        text = environment.get_template(f"{name}.md.j2").render(found=found)
        assert text.startswith("## ") and "<script" not in text
        assert tables_of(text) or name == "diagnosis"


def test_suspects_are_the_one_table_beside_the_report() -> None:
    aspects, _ = aspects_of(("a", "b", "c"), several=False)
    assert list(tables(aspects)) == ["label_errors"]
    assert tables(Aspects()) == {}
    assert set(OURS) <= set(NAMES)
