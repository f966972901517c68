"""A picture of how long texts are beside those that were wanted."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from luthier.evaluation.style import DASHED, PALETTE, STYLE, Form, rendered

# Dots of a scatter plot: more say no more.
MOST_DOTS = 500


def lengths_picture(wanted: Sequence[int], given: Sequence[int], form: Form = "svg") -> bytes:
    """Left how often each length is wanted and generated, right the two lengths of each row."""
    longest = max(*wanted, *given, 1)
    edges = np.linspace(0, longest, min(25, longest + 1) + 1)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 2.8))
        left, right = figure.subplots(1, 2)
        left.hist(wanted, edges, histtype="step", color=PALETTE["muted"], linewidth=1.4, label="wanted")
        left.hist(given, edges, histtype="step", color=PALETTE["accent"], linewidth=1.6, label="generated")
        left.set_title("Texts by length")
        left.set_xlabel("words and marks")
        left.legend(loc="lower right", bbox_to_anchor=(1.0, 1.02), ncols=2)
        right.plot([0, longest], [0, longest], color=PALETTE["muted"], linewidth=1, linestyle=DASHED)
        right.plot(wanted[:MOST_DOTS], given[:MOST_DOTS], "o", color=PALETTE["accent"], markersize=3.5, alpha=0.5)
        right.set_title("Length of each text")
        right.set_xlabel("wanted")
        right.set_ylabel("generated")
        return rendered(figure, form)
