"""Precision over recall beside the ROC curve, a line for each label."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from luthier.evaluation.style import DASHED, PALETTE, STYLE, Form, rendered
from luthier.evaluation.wording import shortened

POINTS = 100
DIGITS = 4
DASHES = ("-", (0, (4, 2)), (0, (1, 1.4)))


@dataclass(frozen=True)
class Drawn:
    """A label's points of both curves."""

    label: str
    recall: tuple[float, ...]
    precision: tuple[float, ...]
    false_positives: tuple[float, ...]
    true_positives: tuple[float, ...]


def drawn_curve(label: str, members: np.ndarray, scores: np.ndarray) -> Drawn:
    """At most about 100 points a curve, as a picture needs them; ``members`` are 0 and 1 (rows,)."""
    # A second to import, which reading a report need not wait for.
    from sklearn.metrics import precision_recall_curve, roc_curve

    precision, recall, _ = precision_recall_curve(members, scores)
    false, true, _ = roc_curve(members, scores)
    return Drawn(label, *(_thinned(values) for values in (recall, precision, false, true)))


def _thinned(values: np.ndarray) -> tuple[float, ...]:
    kept = np.unique(np.linspace(0, len(values) - 1, POINTS).round().astype(int))
    return tuple(np.round(values[kept], DIGITS).tolist())


def ranking_curves(labels: Sequence[Drawn], *, form: Form = "svg") -> bytes:
    """Two panels; the first half of the labels, the best, in one colour, the rest in another."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 3.6 + 0.2 * -(-len(labels) // 3)))
        precision, roc = figure.subplots(1, 2)
        best = -(-len(labels) // 2)
        lines = []
        for place, label in enumerate(labels):
            colour = PALETTE["accent" if place < best else "second"]
            dashes = DASHES[(place if place < best else place - best) % len(DASHES)]
            (line,) = precision.plot(
                label.recall, label.precision, color=colour, linestyle=dashes, drawstyle="steps-post"
            )
            roc.plot(label.false_positives, label.true_positives, color=colour, linestyle=dashes)
            lines.append(line)
        _frame(precision, "Precision and recall", "recall", "precision")
        _frame(roc, "ROC", "rows without the label that get it", "rows with the label that get it")
        roc.plot([0, 1], [0, 1], color=PALETTE["muted"], linewidth=1, linestyle=DASHED, zorder=0)
        names = [shortened(label.label, 28) for label in labels]
        figure.legend(lines, names, loc="outside lower left", ncols=3, handlelength=2.6)
        return rendered(figure, form)


def _frame(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.03)
