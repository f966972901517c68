"""Slices as a picture: a dot with whiskers each, by the way they are sliced."""

from typing import TYPE_CHECKING

import matplotlib
from matplotlib.figure import Figure

from luthier.evaluation.style import DASHED, PALETTE, STYLE, Form, rendered
from luthier.evaluation.wording import metric_name, number, shortened

if TYPE_CHECKING:
    from luthier.evaluation.aspects.slices import Slice, Slices


def slice_scores(found: "Slices", shown: "list[Slice]", form: Form = "svg") -> bytes:
    """A dot with whiskers a slice, beside the score of all rows; those that are worse stand out."""
    worse = {(each.by, each.name) for each in found.worse}
    heights: list[float] = []
    place, by = 0.0, ""
    for each in shown:
        place += 1.9 if heights and each.by != by else 1.0
        heights, by = [*heights, place], each.by
    by = ""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 0.95 + 0.25 * (place + 1)))
        axes = figure.subplots()
        for row, each in zip(heights, shown, strict=True):
            assert each.score is not None
            stands_out, judged = (each.by, each.name) in worse, each.p is not None
            colour = PALETTE["second" if stands_out else "accent" if judged else "muted"]
            axes.plot([each.score.low, each.score.high], [row, row], color=colour, linewidth=1.4)
            axes.plot(each.score.value, row, "o", color=colour, markersize=5, fillstyle="full" if judged else "none")
            if each.by != by:
                axes.annotate(
                    shortened(each.by, 60),
                    (0, row - 0.85),
                    (0, 0),
                    ("axes fraction", "data"),
                    "offset points",
                    va="center",
                )
            by = each.by
            axes.annotate(
                number(found.metric, each.score.value),
                (1.02, row),
                xycoords=("axes fraction", "data"),
                va="center",
                color=PALETTE["ink" if stands_out else "muted"],
                weight="bold" if stands_out else "normal",
            )
        axes.axvline(found.score, color=PALETTE["ink"], linewidth=1, linestyle=DASHED, zorder=0)
        axes.annotate(
            f"all rows {number(found.metric, found.score)}",
            (found.score, 1),
            # Above the name of the first slices, which stands at the left.
            (0, 13),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
        )
        axes.set_yticks(heights, [shortened(each.name, 28) for each in shown], color=PALETTE["ink"])
        axes.set_ylim(place + 0.6, 0.4)
        axes.set_xlabel(metric_name(found.metric))
        axes.grid(visible=False, axis="y")
        return rendered(figure, form)
