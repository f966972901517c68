"""The report as one HTML page that loads nothing from outside."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from luthier.evaluation.aspects import pictures
from luthier.evaluation.outline import said
from luthier.evaluation.page_environment import page_environment
from luthier.evaluation.plots import confusion_matrix, loss_and_metric_curves, scores_with_intervals
from luthier.evaluation.style import PALETTE, Form
from luthier.evaluation.wording import filters, verdict_sentence
from luthier.training.history import History

if TYPE_CHECKING:
    import jinja2

    from luthier.evaluation.report import EvaluationReport

ASPECTS = Path(__file__).parent / "aspects"
TEXT_LENGTH = 400
PIXELS_PER_POINT = 100 / 72


def render_page(report: "EvaluationReport", history: History) -> str:
    """The page: good enough, better than what we have, where it fails, how sure that is, what next, how it was made."""
    status, _, sentence = verdict_sentence(report).partition(": ")
    confusion = confusion_matrix(report.confusion, report.labels) if report.confusion else None
    return (
        report_environment()
        .get_template("report.html.j2")
        .render(
            said(report),
            status=status,
            sentence=sentence.replace(" %", "\N{NO-BREAK SPACE}%"),
            scores=inline_svg(scores_picture(report)),
            curves=inline_svg(curves_picture(report, history)),
            confusion=confusion and inline_svg(confusion),
            pictures={
                aspect: {name: inline_svg(draw("svg")) for name, draw in drawn.items()}
                for aspect, drawn in pictures(report.aspects).items()
            },
        )
    )


def report_environment() -> "jinja2.Environment":
    """The page's template and those of the aspects, with what they call."""
    environment = page_environment(ASPECTS)
    environment.filters.update(filters(TEXT_LENGTH))
    return environment


def scores_picture(report: "EvaluationReport", form: Form = "svg") -> bytes:
    """The deciding score of the model beside those of its baselines."""
    return scores_with_intervals(report.beside_baselines, metric=report.metric, target=report.target, form=form)


def curves_picture(report: "EvaluationReport", history: History, form: Form = "svg") -> bytes:
    """The training's loss and the metric that picked the checkpoint, with the target where that is the metric of it."""
    metric = report.selection_metric
    target = report.target if metric == report.metric else None
    return loss_and_metric_curves(history, metric=metric, target=target, form=form)


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
