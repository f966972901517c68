"""The report as one HTML page that loads nothing from outside."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from luthier.evaluation.plots import (
    PALETTE,
    History,
    confusion_matrix,
    loss_and_metric_curves,
    scores_with_intervals,
    shortened,
)
from luthier.evaluation.wording import (
    baseline_sentence,
    decimals,
    interval_sentence,
    metric_name,
    verdict_sentence,
)

if TYPE_CHECKING:
    from luthier.evaluation.report import EvaluationReport

TEXT_LENGTH = 400
PIXELS_PER_POINT = 100 / 72


def render_page(report: "EvaluationReport", history: History) -> str:
    """The page, top-down: verdict, scores beside the baselines, curves, confusion, mistakes, provenance."""
    environment = page_environment()
    environment.filters.update(metric_name=metric_name, short=lambda text: shortened(text, TEXT_LENGTH))
    status, _, sentence = verdict_sentence(report).partition(": ")
    target, metric = report.target, report.metric
    return environment.get_template("report.html.j2").render(
        report=report,
        status=status,
        sentence=sentence.replace(" %", "\N{NO-BREAK SPACE}%"),
        remarks=[interval_sentence(report), baseline_sentence(report)],
        places=decimals(report),
        scores=inline_svg(scores_with_intervals(report.beside_baselines, metric=metric, target=target)),
        curves=inline_svg(loss_and_metric_curves(history, metric=metric, target=target)),
        confusion=inline_svg(confusion_matrix(report.confusion, report.labels)),
        wrong=sum(map(sum, report.confusion)) - sum(line[row] for row, line in enumerate(report.confusion)),
    )


def page_environment(*folders: Path) -> jinja2.Environment:
    """Templates of ``folders``, and the base that every page extends; all values are escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def inline_svg(svg: bytes) -> Markup:
    """The picture as an element of a page whose colours are CSS variables named as in ``PALETTE``."""
    text = svg.decode()
    element = text[text.index("<svg") :]
    tag, rest = element.split(">", 1)
    (points,), (box,) = re.findall(r' width="([\d.]+)pt"', tag), re.findall(r'viewBox="[^"]*"', tag)
    width = float(points) * PIXELS_PER_POINT
    element = f'<svg {box} style="width:{width:.0f}px" aria-hidden="true">{rest}'
    element = re.sub(r' id="(?:figure|axes|patch|text|line2d|matplotlib|legend|xtick|ytick)[\w.]*"', "", element)
    for name, colour in PALETTE.items():
        element = element.replace(f": {colour}", f": var(--{name})")
    # Made by matplotlib, which escapes every text it sets.
    return Markup(element)
