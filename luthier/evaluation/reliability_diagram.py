"""The reliability diagram: how often answers of a confidence are right, and how many there are of it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from luthier.evaluation.style import DASHED, PALETTE, STYLE, Form, rendered

if TYPE_CHECKING:
    from luthier.evaluation.aspects.reliability import Bin

# A share of fewer answers is drawn as a ring: it may be chance.
FEW = 10
SPOKEN = {"answer": "answers right", "label": "rows that have it"}


def reliability_diagram(panels: Mapping[str, Sequence["Bin"]], *, of: str, form: Form = "svg") -> bytes:
    """One panel for each of ``panels``, side by side, above the number of answers in each bin."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.3 * len(panels) if len(panels) > 1 else 4.6, 3.9))
        grid = figure.subplots(2, len(panels), sharex=True, sharey="row", squeeze=False, height_ratios=(3.2, 1))
        for column, (name, bins) in enumerate(panels.items()):
            _draw_shares(grid[0, column], bins, name)
            _draw_counts(grid[1, column], bins)
        grid[0, 0].set_ylabel(SPOKEN[of])
        grid[1, 0].set_ylabel(f"{of}s")
        return rendered(figure, form)


def _draw_shares(axes: Axes, bins: Sequence["Bin"], name: str) -> None:
    axes.plot([0, 1], [0, 1], color=PALETTE["muted"], linewidth=1, linestyle=DASHED)
    found = [(b.confidence, b.right, b.answers) for b in bins if b.confidence is not None and b.right is not None]
    confidences, shares = [confidence for confidence, _, _ in found], [right for _, right, _ in found]
    axes.vlines(confidences, confidences, shares, color=PALETTE["second"], linewidth=2.2)
    axes.plot(confidences, shares, color=PALETTE["accent"], linewidth=1.2)
    for confidence, right, answers in found:
        inside = PALETTE["accent"] if answers >= FEW else "none"
        axes.plot(confidence, right, "o", color=PALETTE["accent"], markerfacecolor=inside, markersize=5)
    axes.set_title(name)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _draw_counts(axes: Axes, bins: Sequence["Bin"]) -> None:
    middles = [(b.low + b.high) / 2 for b in bins]
    width = 0.86 * (bins[0].high - bins[0].low)
    axes.bar(middles, [b.answers for b in bins], width=width, color=PALETTE["accent"], alpha=0.55, linewidth=0)
    axes.set_xlabel("confidence")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(visible=False, axis="x")
