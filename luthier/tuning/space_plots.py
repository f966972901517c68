"""Pictures of a study over its search space: parallel coordinates, and the score against each field."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from luthier.evaluation.style import PALETTE, STYLE, Form, rendered
from luthier.evaluation.wording import metric_name
from luthier.tuning.axis import Axis, ChoiceAxis, NumberAxis, axis_of
from luthier.tuning.drawing import WIDTH, Drawn, drawn, far_apart, legend, scale_scores, score_title
from luthier.tuning.result import StudyResult
from luthier.tuning.space import Dimension
from luthier.tuning.wording import condition_text, score_digits, short_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Where a trial passes an axis that it has no value on.
ABSENT_PLACE = -0.13
TICK_SIZE = 7.5
# Trials with the same choice lie this far apart, at most, as a share of its place.
SPREAD = 0.45
MOST_COLUMNS = 3


def parallel_picture(result: StudyResult, form: Form = "svg") -> bytes:
    """A line for each trial over an axis for each field, and one for the score."""
    import matplotlib
    from matplotlib.figure import Figure

    trials = drawn(result)
    axes_of = [_axis(dimension, trials) for dimension in result.space]
    scores = _score_axis(result, trials)
    with matplotlib.rc_context({**STYLE, "axes.grid": False, "axes.spines.bottom": False}):
        figure = Figure(figsize=(WIDTH, 3.6))
        axes = figure.subplots()
        absent = [False] * len(axes_of)
        for row, found in enumerate(trials):
            places = []
            for column, (dimension, axis) in enumerate(zip(result.space, axes_of, strict=True)):
                place = _place(axis, found, dimension.field)
                absent[column] |= place is None
                places.append(ABSENT_PLACE if place is None else place + _shift(axis, row, len(trials)))
            end = scores.place(found.score)
            assert end is not None
            axes.plot(range(len(places) + 1), [*places, end], **found.line)
        for column, axis in enumerate([*axes_of, scores]):
            _draw_axis(axes, column, axis, absent=column < len(absent) and absent[column])
        fields = short_names(dimension.field for dimension in result.space).values()
        names = [*(name.replace(".", " ") for name in fields), f"validation {metric_name(result.metric)}"]
        axes.set_xticks(range(len(names)), [_wrapped(name, len(names)) for name in names])
        axes.tick_params(axis="x", length=0, labelcolor=PALETTE["ink"])
        axes.set_yticks([])
        axes.set_xlim(-0.12, len(names) - 1 + 0.075 * len(names))
        axes.set_ylim(ABSENT_PLACE - 0.06 if any(absent) else -0.05, 1.05)
        axes.set_title("Values and scores")
        legend(axes, trials, lines=True)
        return rendered(figure, form)


def _axis(dimension: Dimension, trials: Sequence[Drawn]) -> Axis:
    values = [found.trial.values[dimension.field] for found in trials if dimension.field in found.trial.values]
    return axis_of(dimension, values)


def _score_axis(result: StudyResult, trials: Sequence[Drawn]) -> NumberAxis:
    scores = [found.score for found in trials]
    log = far_apart(result, scores)
    digits = score_digits(result)
    low, high = (min(scores), max(scores)) if log else (round(min(scores), digits), round(max(scores), digits))
    return NumberAxis(low, high, log=log)


def _place(axis: Axis, found: Drawn, field: str) -> float | None:
    return axis.place(found.trial.values[field]) if field in found.trial.values else None


def _shift(axis: Axis, row: int, rows: int) -> float:
    """Sideways from the place of a choice, so that lines through the same one can be told apart."""
    if not isinstance(axis, ChoiceAxis) or rows == 1:
        return 0.0
    # Neighbours in number go far apart: the golden ratio spreads any count evenly.
    share = (row * (math.sqrt(5) - 1) / 2) % 1 - 0.5
    return SPREAD * share / max(len(axis.choices), 3)


def _draw_axis(axes: "Axes", column: int, axis: Axis, *, absent: bool) -> None:
    axes.plot([column, column], [0, 1], color=PALETTE["muted"], linewidth=0.8, zorder=4, solid_capstyle="butt")
    ticks = [*axis.ticks, *([(ABSENT_PLACE, "not used")] if absent else [])]
    for place, text in ticks:
        axes.plot(column, place, marker="_", color=PALETTE["muted"], markersize=5, zorder=4)
        axes.annotate(
            text,
            (column, place),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=TICK_SIZE,
            color=PALETTE["ink"],
            zorder=5,
            bbox={"facecolor": PALETTE["paper"], "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
        )


def _wrapped(name: str, columns: int) -> str:
    return "\n".join(_lines(name, max(9, 88 // columns)))


def _lines(text: str, width: int) -> list[str]:
    return textwrap.wrap(text.replace("_", " "), width, break_long_words=False, break_on_hyphens=False)


def slices_picture(result: StudyResult, form: Form = "svg") -> bytes:
    """The score against each field, the most important one first."""
    import matplotlib
    from matplotlib.figure import Figure

    trials = drawn(result)
    ordered = sorted(result.space, key=lambda dimension: -result.importances.get(dimension.field, 0.0))
    names = short_names(dimension.field for dimension in result.space)
    columns = 2 if len(ordered) == 4 else min(len(ordered), MOST_COLUMNS)
    rows = math.ceil(len(ordered) / columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.45 + 2.25 * rows))
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        figure.suptitle(score_title(result), x=0.01, ha="left", fontsize=STYLE["axes.titlesize"])
        for axes, dimension in zip(grid.flat, ordered, strict=False):
            _draw_slice(axes, dimension, trials, names[dimension.field], wide=columns == 1)
        for axes in list(grid.flat)[len(ordered) :]:
            axes.set_visible(False)
        scale_scores(grid[0][0], result, [found.score for found in trials])
        return rendered(figure, form)


def _draw_slice(axes: "Axes", dimension: Dimension, trials: Sequence[Drawn], name: str, *, wide: bool) -> None:
    axis = _axis(dimension, trials)
    for row, found in enumerate(trials):
        place = _place(axis, found, dimension.field)
        if place is not None:
            axes.plot(place + _shift(axis, row, len(trials)), found.score, **found.dot)
    places, texts = zip(*axis.ticks, strict=True)
    crowded = sum(len(text) + 2 for text in texts) > (100 if wide else 34)
    turned: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    axes.set_xticks(places, texts, **turned)
    axes.set_xlim(-0.05, 1.05)
    condition = condition_text(dimension)
    label = name.replace("_", " ")
    axes.set_xlabel("\n".join([label, *_lines(condition, 38)]) if condition else label, color=PALETTE["ink"])
