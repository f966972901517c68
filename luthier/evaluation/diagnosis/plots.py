"""The learning curve as a picture."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from luthier.evaluation.diagnosis.learning_curve import LearningCurve
from luthier.evaluation.style import DASHED, PALETTE, STYLE, Form, rendered
from luthier.evaluation.wording import metric_name, number


def learning_curve_picture(curve: LearningCurve, form: Form = "svg") -> bytes:
    """Measured points with whiskers, and the curve drawn further with its interval, over training rows."""
    measured, further = curve.points, curve.further
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 3.2))
        axes = figure.subplots()
        colour, beyond = PALETTE["accent"], PALETTE["second"]
        rows = np.geomspace(measured[0].rows, curve.rows, 40)
        ahead = np.geomspace(curve.rows, further[-1].rows, 20)
        axes.plot(rows, [curve.at(n) for n in rows], color=colour, linewidth=1.2)
        axes.plot(ahead, [curve.at(n) for n in ahead], color=beyond, linewidth=1.4, linestyle=DASHED)
        ends = (measured[-1], *further)
        band = [point.rows for point in ends]
        axes.fill_between(band, [p.low for p in ends], [p.high for p in ends], color=beyond, alpha=0.12, linewidth=0)
        for points, shade, fill in ((measured, colour, "full"), (further, beyond, "none")):
            for point in points:
                axes.plot([point.rows] * 2, [point.low, point.high], color=shade, linewidth=1.2)
                axes.plot(point.rows, point.value, "o", color=shade, markersize=6, fillstyle=fill)
                axes.annotate(
                    number(curve.metric, point.value), (point.rows, point.value), (7, -11), textcoords="offset points"
                )
        axes.set_xscale("log")
        axes.set_xticks([point.rows for point in (*measured, *further)])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xlim(right=further[-1].rows * 1.25)
        axes.set_xlabel("training rows")
        axes.set_title(f"Validation {metric_name(curve.metric)} of the {curve.of}")
        return rendered(figure, form)
