"""Pictures of a data set: its labels and the lengths of its texts, as SVG or PNG bytes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from luthier.evaluation.style import DASHED, PALETTE, STYLE, Form, rendered
from luthier.evaluation.wording import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHADES = (PALETTE["accent"], PALETTE["second"], "#6b8e4e", "#8b6bab", "#b9973a", "#4fa3a0")


def label_balance(balance: Mapping[str, Mapping[str, int]], *, form: Form = "png") -> bytes:
    """The share of each label in each split; ``balance`` as split -> label -> rows. Rare ones of many stand as one."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    from matplotlib.ticker import PercentFormatter

    balance = _rare_merged(balance)
    labels = list(dict.fromkeys(label for counts in balance.values() for label in counts))
    names = [shortened(label, 20) for label in labels]
    with matplotlib.rc_context({**STYLE, "axes.spines.bottom": False, "axes.grid": False}):
        figure = Figure(figsize=(8.6, 0.9 + 0.4 * len(balance)))
        axes = figure.subplots()
        for row, counts in enumerate(balance.values()):
            _draw_shares(axes, row, [counts.get(label, 0) for label in labels])
        splits = [f"{split}  {sum(counts.values()):,}" for split, counts in balance.items()]
        axes.set_yticks(range(len(splits)), splits, color=PALETTE["ink"])
        axes.set_ylim(len(splits) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        handles = [Patch(color=_shade(position), label=name, linewidth=0) for position, name in enumerate(names)]
        columns = min(len(names), 6 if sum(map(len, names)) < 70 else 3)
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.02), ncols=columns)
        return rendered(figure, form)


def _rare_merged(balance: Mapping[str, Mapping[str, int]]) -> Mapping[str, Mapping[str, int]]:
    """At most one label a shade: all but the most frequent as one, where there are more."""
    total: Counter[str] = Counter()
    for counts in balance.values():
        total.update(counts)
    if len(total) <= len(SHADES):
        return balance
    frequent = [label for label, _ in total.most_common(len(SHADES) - 1)]
    rest = f"{len(total) - len(frequent)} more"
    return {
        split: {label: counts.get(label, 0) for label in frequent}
        | {rest: sum(number for label, number in counts.items() if label not in frequent)}
        for split, counts in balance.items()
    }


def _draw_shares(axes: "Axes", row: int, counts: Sequence[int]) -> None:
    total, left = max(sum(counts), 1), 0.0
    for position, count in enumerate(counts):
        share = count / total
        axes.barh(row, share, left=left, height=0.62, color=_shade(position), linewidth=0)
        if share > 0.06:
            axes.text(left + share / 2, row, f"{count:,}", ha="center", va="center", color="white")
        left += share


def length_histogram(
    counts: Mapping[str, Sequence[int]],
    edges: Sequence[int],
    *,
    max_length: int,
    open_end: bool = False,
    form: Form = "svg",
) -> bytes:
    """The share of each split's texts by their tokens, and where truncation cuts.

    ``counts`` is split -> texts by bin; with ``open_end`` the last bin also holds all that is longer.
    """
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    colours = (PALETTE["accent"], PALETTE["second"], PALETTE["muted"])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 2.9))
        axes = figure.subplots()
        for position, ((split, texts), colour) in enumerate(zip(counts.items(), colours, strict=False)):
            shares = np.asarray(texts) / max(sum(texts), 1)
            if position == 0:
                axes.stairs(shares, edges, fill=True, color=colour, alpha=0.3, linewidth=0, label=split)
            else:
                axes.stairs(
                    shares, edges, color=colour, linewidth=1.3, linestyle="-" if position == 1 else ":", label=split
                )
        _draw_limit(axes, max_length, edges[-1])
        axes.set_xlim(0, edges[-1])
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(visible=False, axis="x")
        axes.set_xlabel("tokens a text; the last bar holds all longer texts" if open_end else "tokens a text")
        axes.set_title("Share of texts")
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.02), ncols=len(counts))
        return rendered(figure, form)


def _draw_limit(axes: "Axes", max_length: int, end: int) -> None:
    beyond, right = max_length > end, max_length < 0.75 * end
    if not beyond:
        axes.axvline(max_length, color=PALETTE["ink"], linewidth=1, linestyle=DASHED)
    axes.annotate(
        f"max_length {max_length:,}{' →' if beyond else ''}",
        (min(max_length, end), 1),
        (5 if right else -5, -4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="left" if right else "right",
        va="top",
    )


def _shade(position: int) -> str:
    return SHADES[position % len(SHADES)]
