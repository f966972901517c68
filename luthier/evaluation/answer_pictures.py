"""Pictures of answers: F1 by group with intervals, and what a stricter or laxer margin would do."""

from typing import TYPE_CHECKING

import matplotlib
from matplotlib.figure import Figure

from luthier.evaluation.style import DASHED, PALETTE, STYLE, Form, rendered

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from luthier.evaluation.aspects.answers import Answers, Group


def groups_picture(found: "Answers", form: Form = "svg") -> bytes:
    """A panel for each thing that questions are grouped by; the line is the F1 of all."""
    rows = max(len(groups) for groups in found.groups.values())
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 0.95 + 0.3 * rows))
        panels = figure.subplots(1, len(found.groups), sharex=True, squeeze=False)[0]
        for axes, (by, groups) in zip(panels, found.groups.items(), strict=True):
            _draw_groups(axes, groups, rows)
            axes.axvline(found.whole.f1.value, color=PALETTE["ink"], linewidth=1, linestyle=DASHED, zorder=0)
            axes.set_title(by.capitalize())
            axes.set_xlabel("answer F1")
            axes.set_xlim(-0.02, 1.02)
        return rendered(figure, form)


def _draw_groups(axes: "Axes", groups: "tuple[Group, ...]", rows: int) -> None:
    for place, group in enumerate(groups):
        axes.plot([group.f1.low, group.f1.high], [place, place], color=PALETTE["accent"], linewidth=1.4)
        axes.plot(group.f1.value, place, "o", color=PALETTE["accent"], markersize=5)
    axes.set_yticks(range(len(groups)), [group.name for group in groups], color=PALETTE["ink"])
    axes.set_ylim(rows - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def sweep_picture(found: "Answers", form: Form = "svg") -> bytes:
    """Precision and recall of no answer, and the F1 of all rows where it is known, by the margin."""
    margins = [point.margin for point in found.sweep]
    known = [(point.margin, point.f1) for point in found.sweep if point.f1 is not None]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 2.6))
        axes = figure.subplots()
        axes.plot(margins, [point.precision for point in found.sweep], color=PALETTE["accent"], label="precision")
        axes.plot(margins, [point.recall for point in found.sweep], color=PALETTE["second"], label="recall")
        axes.plot([margin for margin, _ in known], [f1 for _, f1 in known], color=PALETTE["ink"], label="F1")
        axes.axvline(0, color=PALETTE["muted"], linewidth=1, linestyle=DASHED, zorder=0)
        axes.annotate("as served", (0, 0.02), (4, 0), xycoords=("data", "axes fraction"), textcoords="offset points")
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("how much more than no answer an answer must score")
        axes.set_title("No answer: precision and recall; answer F1 of all rows")
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.02), ncols=3)
        return rendered(figure, form)
