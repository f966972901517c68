"""The comparison as one HTML page that loads nothing from outside."""

from pathlib import Path

from luthier.comparison.comparison import MethodComparison
from luthier.comparison.plots import Point, score_against
from luthier.comparison.wording import (
    cost_cells,
    expectation_sentences,
    hardware_sentence,
    headline,
    interval_sentence,
    method_settings,
    scope_sentence,
    score_cells,
    setting_columns,
    shown,
    tie_sentence,
)
from luthier.evaluation.page import inline_svg
from luthier.evaluation.page_environment import page_environment
from luthier.evaluation.style import Form
from luthier.evaluation.wording import metric_name


def render_page(comparison: MethodComparison) -> str:
    """The page, top-down: the best, the table, what was expected, scores against costs, settings, provenance."""
    environment = page_environment(Path(__file__).parent)
    environment.filters.update(shown=shown, settings=method_settings, costs=cost_cells)
    best, _, rest = headline(comparison).partition(": ")
    return environment.get_template("comparison.html.j2").render(
        comparison=comparison,
        best=best,
        rest=_unbroken(rest),
        tie=tie_sentence(comparison),
        scope=scope_sentence(comparison),
        intervals=_unbroken(interval_sentence(comparison)),
        metric=metric_name(comparison.metric),
        scores=lambda found: score_cells(comparison, found),
        expectations=expectation_sentences(comparison),
        parameters=inline_svg(parameters_picture(comparison)),
        memory=inline_svg(memory_picture(comparison)),
        columns=setting_columns(comparison),
        hardware=hardware_sentence(comparison),
    )


def parameters_picture(comparison: MethodComparison, form: Form = "svg") -> bytes:
    """The scores against trainable parameters."""
    points = _points(comparison, "trainable_parameters", 1)
    return score_against(points, cost="trained parameters", metric=comparison.metric, log=True, form=form)


def memory_picture(comparison: MethodComparison, form: Form = "svg") -> bytes:
    """The scores against peak memory."""
    points = _points(comparison, "peak_memory", 1e6)
    return score_against(points, cost="peak memory of the training (MB)", metric=comparison.metric, form=form)


def _points(comparison: MethodComparison, cost: str, unit: float) -> list[Point]:
    return [
        Point(
            found.kind,
            getattr(found, cost) / unit,
            found.score,
            tuple(seed.score.value for seed in found.seeds),
            highlighted=found.kind == comparison.own,
        )
        for found in comparison.ranked
    ]


def _unbroken(sentence: str) -> str:
    return sentence.replace(" %", "\N{NO-BREAK SPACE}%")
