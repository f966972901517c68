"""Every part of the report, as Chromium shows it on a screen, in the light and in the dark, and on paper."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from luthier.evaluation.aspects import examined
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.page import render_page
from luthier.evaluation.report import EvaluationReport
from tests.unit.evaluation.answered import SAMPLES
from tests.unit.evaluation.examinations import examination
from tests.unit.evaluation.test_classification_page import aspects_of

Make = Callable[..., EvaluationReport]
# A4 less the margins that the page asks for, at 96 pixels an inch.
PAPER = {"width": 673, "height": 980}
LABELS = tuple(f"label.of.some.length.{place}" for place in range(20))
LONG = "a row of the data that is longer than a line of the page is wide and that goes on for some more words "
# WCAG's bound for text.
LEAST_CONTRAST = 4.5
SEEN = """least => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = colour => rgb(colour).slice(0, 3)
    .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const contrast = colour => (Math.max(light(colour), paper) + 0.05) / (Math.min(light(colour), paper) + 0.05);
  const shown = [...document.body.querySelectorAll('*')].filter(e => e.checkVisibility());
  const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const style = e => getComputedStyle(e);
  const name = e => `${e.closest('section')?.querySelector('h2')?.textContent} ${e.outerHTML.slice(0, 120)}`;
  return {
    paper: paper,
    ink: light(style(document.body).color),
    faint: shown.filter(own).filter(e => contrast(e.closest('svg') ? style(e).fill : style(e).color) < least).map(name),
    wide: shown.filter(e => ['TABLE', 'FIGURE', 'svg', 'P', 'DL'].includes(e.tagName))
      .filter(e => e.getBoundingClientRect().right > innerWidth + 1 || (e.scrollWidth > e.clientWidth + 1)).map(name),
    cut: shown.filter(e => style(e).overflow === 'hidden' && e.scrollWidth > e.clientWidth + 1).map(name),
    hidden: [...document.body.querySelectorAll('section *:not(svg *, style)')]
      .filter(e => !e.checkVisibility({contentVisibilityAuto: true})).map(name),
  }
}"""


@pytest.fixture
def page(chromium: str, path: Path) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=PAPER)
        page.goto(path.as_uri())
        yield page
        browser.close()


@pytest.fixture(params=["single-label", *SAMPLES])
def path(request: pytest.FixtureRequest, make_report: Make, history: list[dict[str, float]], tmp_path: Path) -> Path:
    """A page of each task, with whatever the task is examined for."""
    if request.param == "single-label":
        aspects, given = aspects_of(LABELS, several=False, text=3 * LONG)
        report = make_report(given.test, aspects=aspects, calibration=given.calibration)
    else:
        test: Evaluated = SAMPLES[request.param]()
        metric = test.task.metrics(test.label_kind)[0]
        report = make_report(test, metric=metric, aspects=examined(examination(test)))
    written = tmp_path / "report.html"
    written.write_text(render_page(report, history), encoding="utf-8")
    return written


def test_a_report_is_readable_in_the_light_in_the_dark_and_in_print(page: Page) -> None:
    for media, scheme in (("screen", "light"), ("screen", "dark"), ("print", "dark")):
        page.emulate_media(media=media, color_scheme=scheme)
        seen = page.evaluate(SEEN, LEAST_CONTRAST)
        dark = (media, scheme) == ("screen", "dark")
        assert (seen["paper"] < 0.05, seen["ink"] > 0.5) == (dark, dark)
        assert (seen["paper"] > 0.95, seen["ink"] < 0.05) == (not dark, not dark)
        assert seen["faint"] == seen["wide"] == []
    # Whatever a reader has folded, and the screen cuts off, is on paper.
    page.evaluate("document.querySelectorAll('details').forEach(each => each.removeAttribute('open'))")
    seen = page.evaluate(SEEN, LEAST_CONTRAST)
    assert seen["hidden"] == seen["cut"] == []
