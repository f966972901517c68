"""Pictures of a comparison: each method's score against what it costs, as SVG or PNG bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.comparison.label_places import Box, Label, placed
from luthier.evaluation.scores import Score
from luthier.evaluation.style import PALETTE, STYLE, Form, rendered
from luthier.evaluation.wording import metric_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 8.6, 3.9
# Half the size of what is drawn, in points, with a little room.
DOT, WHISKER = 5.0, 2.0
LINE = {
    "arrowstyle": "-",
    "color": PALETTE["muted"],
    "linewidth": 0.6,
    "shrinkA": 0,
    "shrinkB": 4,
    "relpos": (0.5, 0.5),
}


@dataclass(frozen=True)
class Point:
    """A method in a picture; ``highlighted`` is the recipe's own."""

    name: str
    cost: float
    score: Score
    seeds: tuple[float, ...]
    highlighted: bool = False

    @property
    def colour(self) -> str:
        return PALETTE["second" if self.highlighted else "accent"]

    @property
    def weight(self) -> str:
        return "bold" if self.highlighted else "normal"


def score_against(points: Sequence[Point], *, cost: str, metric: str, log: bool = False, form: Form = "svg") -> bytes:
    """A dot for each mean, whiskers for its interval, small dots for the seeds; ``cost`` names the axis."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT))
        axes = figure.subplots()
        for point in points:
            _draw(axes, point)
        _scale(axes, [point.cost for point in points], log=log)
        axes.margins(y=0.08)
        axes.set_xlabel(cost)
        axes.set_title(metric_name(metric)[:1].upper() + metric_name(metric)[1:])
        _label(figure, axes, points)
        return rendered(figure, form)


def _draw(axes: "Axes", point: Point) -> None:
    place = [point.cost] * 2
    axes.plot(place, [point.score.low, point.score.high], color=point.colour, linewidth=1.2, solid_capstyle="round")
    axes.plot([point.cost] * len(point.seeds), point.seeds, "o", color=point.colour, markersize=3, alpha=0.45)
    axes.plot(point.cost, point.score.value, "o", color=point.colour, markersize=6.5)


def _scale(axes: "Axes", costs: Sequence[float], *, log: bool) -> None:
    """Room for labels on both sides."""
    from matplotlib.ticker import FuncFormatter

    if log:
        axes.set_xscale("log")
        axes.set_xlim(min(costs) / 3, max(costs) * 3)
    else:
        # From zero: a difference of a hundredth must not look like a ranking.
        axes.set_xlim(0, 1.12 * max(costs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value) if log else f"{value:,g}"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def _short(value: float) -> str:
    """``20k``, ``1.5M``"""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _label(figure: "Figure", axes: "Axes", points: Sequence[Point]) -> None:
    """Writes each name where it covers no dot, no whisker and no other name, the best method's first."""
    figure.draw_without_rendering()
    unit = 72 / figure.dpi
    ordered = sorted(points, key=lambda point: -point.score.value)
    labels = [_measured(axes, point, unit) for point in ordered]
    within = Box(*(unit * side for side in axes.bbox.extents))
    for point, place in zip(ordered, placed(labels, within), strict=True):
        label = axes.annotate(
            point.name,
            (point.cost, point.score.value),
            (place.dx, place.dy),
            textcoords="offset points",
            ha=place.align,
            va="center",
            color=PALETTE["ink"],
            weight=point.weight,
            arrowprops=LINE if place.far else None,
        )
        label.set_in_layout(False)


def _measured(axes: "Axes", point: Point, unit: float) -> Label:
    """A point's label, and what its dot and whiskers cover; ``unit`` is a pixel in points."""
    text = axes.text(0, 0, point.name, weight=point.weight, transform=axes.transAxes)
    size = text.get_window_extent()
    text.remove()
    (x, y), (_, low), (_, high) = (
        axes.transData.transform((point.cost, value)) * unit
        for value in (point.score.value, point.score.low, point.score.high)
    )
    drawn = (Box(x - DOT, y - DOT, x + DOT, y + DOT), Box(x - WHISKER, low, x + WHISKER, high))
    return Label(x, y, size.width * unit, size.height * unit, drawn)
