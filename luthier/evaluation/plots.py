"""Pictures of a training and its evaluation, as SVG or PNG bytes that depend on nothing but the values."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from luthier.errors import LuthierError
from luthier.evaluation.scores import Score
from luthier.evaluation.wording import metric_name

Form = Literal["svg", "png"]
History = Sequence[Mapping[str, float]]

# The report's page replaces these by its own colours, light or dark.
PALETTE = {"ink": "#2a2f3a", "muted": "#6f7785", "rule": "#d4d7dd", "accent": "#2b6f94", "second": "#c2692f"}
SHADES = (PALETTE["accent"], PALETTE["second"], "#6b8e4e", "#8b6bab", "#b9973a", "#4fa3a0")

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": PALETTE["ink"],
    # Labels come from data: a dollar sign in one is no formula.
    "text.parse_math": False,
    "axes.edgecolor": PALETTE["rule"],
    "axes.labelcolor": PALETTE["muted"],
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALETTE["rule"],
    "grid.linewidth": 0.6,
    "xtick.color": PALETTE["rule"],
    "ytick.color": PALETTE["rule"],
    "xtick.labelcolor": PALETTE["muted"],
    "ytick.labelcolor": PALETTE["muted"],
    "ytick.left": False,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.borderaxespad": 0.0,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.wspace": 0.06,
    "figure.constrained_layout.h_pad": 0.08,
    "svg.fonttype": "none",
    "svg.hashsalt": "luthier",
}


def loss_and_metric_curves(history: History, *, metric: str, target: float | None = None, form: Form = "svg") -> bytes:
    """Training and validation loss beside the validation metric, over epochs.

    ``history`` is the training's: entries with ``loss`` for a step, with ``eval_loss`` and ``eval_<metric>`` for
    a validation.
    """
    steps = [entry for entry in history if "loss" in entry]
    validations = [entry for entry in history if f"eval_{metric}" in entry]
    if not steps or not validations:
        raise LuthierError(f"the history needs a loss and an eval_{metric}", received=sorted(set().union(*history)))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 3.0))
        losses, scores = figure.subplots(1, 2)
        _draw_losses(losses, steps, validations)
        _draw_validation(scores, validations, metric, target)
        for axes in (losses, scores):
            axes.set_xlabel("epoch")
            axes.set_xlim(left=0)
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=steps[-1]["epoch"] >= 2))
        return _rendered(figure, form)


def _draw_losses(axes: Axes, steps: History, validations: History) -> None:
    epochs, losses = [entry["epoch"] for entry in steps], np.array([entry["loss"] for entry in steps])
    axes.plot(epochs, losses, color=PALETTE["accent"], alpha=0.25, linewidth=0.7)
    axes.plot(epochs, smoothed(losses), color=PALETTE["accent"], linewidth=1.6, label="training, smoothed")
    scored = [(entry["epoch"], entry["eval_loss"]) for entry in validations if "eval_loss" in entry]
    if scored:
        axes.plot(*zip(*scored, strict=True), "o-", color=PALETTE["second"], markersize=4, label="validation")
    low, high = np.quantile(losses, [0.0, 0.995])
    margin = 0.06 * (high - low) or 0.1
    top = max([high, *(loss for _, loss in scored)])
    axes.set_ylim(min([low, *(loss for _, loss in scored)]) - margin, top + margin)
    axes.set_title("Loss")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.02), ncols=2)


def _draw_validation(axes: Axes, validations: History, metric: str, target: float | None) -> None:
    epochs = [entry["epoch"] for entry in validations]
    scores = [entry[f"eval_{metric}"] for entry in validations]
    axes.plot(epochs, scores, "o-", color=PALETTE["second"], markersize=4)
    best = int(np.argmax(scores))
    axes.plot(epochs[best], scores[best], "o", color=PALETTE["second"], markersize=9, fillstyle="none")
    below = target is not None and scores[best] < target
    axes.annotate(
        f"best {scores[best]:.3f}",
        (epochs[best], scores[best]),
        (4, -9 if below else 9),
        textcoords="offset points",
        ha="right",
        va="top" if below else "bottom",
    )
    if target is not None:
        axes.axhline(target, color=PALETTE["ink"], linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            f"target {target:g}", (0, target), (4, 4), xycoords=("axes fraction", "data"), textcoords="offset points"
        )
    low, high = min([*scores, target or scores[0]]), max([*scores, target or scores[0]])
    margin = max(0.25 * (high - low), 0.01)
    axes.set_ylim(low - margin, high + margin)
    axes.set_title(f"Validation {metric_name(metric)}")


def smoothed(values: np.ndarray) -> np.ndarray:
    """Triangular moving average over about a 25th of the values, centred so that it does not lag behind a fall."""
    reach = min(len(values) // 25, (len(values) - 1) // 2)
    kernel = np.bartlett(2 * reach + 3)[1:-1]
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


def scores_with_intervals(
    scores: Mapping[str, Score], *, metric: str, target: float | None = None, form: Form = "svg"
) -> bytes:
    """One dot with whiskers a row, in the order given (the model first), and the target as a line."""
    names = list(scores)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.6, 0.85 + 0.36 * len(names)))
        axes = figure.subplots()
        for row, score in enumerate(scores.values()):
            colour = PALETTE["accent"] if row == 0 else PALETTE["muted"]
            axes.plot([score.low, score.high], [row, row], color=colour, linewidth=2 if row == 0 else 1.2)
            axes.plot(score.value, row, "o", color=colour, markersize=7 if row == 0 else 5)
            place: dict[str, Any] = {
                "xycoords": ("axes fraction", "data"),
                "va": "center",
                "color": PALETTE["muted" if row else "ink"],
            }
            axes.annotate(f"{score.value:.3f}", (1.02, row), weight="normal" if row else "bold", **place)
            axes.annotate(f"{score.low:.3f} to {score.high:.3f}", (1.105, row), **place)
        if target is not None:
            axes.axvline(target, color=PALETTE["ink"], linewidth=1, linestyle=(0, (4, 3)), zorder=0)
            axes.annotate(
                f"target {target:g}",
                (target, 1),
                (0, 3),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
            )
        axes.set_yticks(range(len(names)), [shortened(name, 28) for name in names], color=PALETTE["ink"])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlabel(metric_name(metric))
        axes.grid(visible=False, axis="y")
        return _rendered(figure, form)


def confusion_matrix(counts: Sequence[Sequence[int]], labels: Sequence[str], *, form: Form = "svg") -> bytes:
    """Counts in cells shaded by their share of the true label's rows."""
    table = np.asarray(counts, dtype=float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    classes, annotated = len(labels), len(labels) <= 16
    side = max(2.2, (0.48 if annotated else 0.28) * min(classes, 26)) if classes > 3 else 0.85 * classes
    names = [shortened(label, 16) for label in labels]
    with matplotlib.rc_context({**STYLE, "axes.spines.bottom": False, "axes.grid": False}):
        figure = Figure(figsize=(side + 1.3, side + 0.75))
        axes = figure.subplots()
        cells = list(np.ndindex(table.shape))
        squares = [_square(predicted, true) for true, predicted in cells]
        colours = [
            to_rgba(PALETTE["accent" if true == predicted else "second"], 0.06 + 0.6 * shares[true, predicted])
            for true, predicted in cells
        ]
        axes.add_collection(PolyCollection(squares, facecolors=colours, linewidths=0))
        if annotated:
            for true, predicted in cells:
                axes.text(predicted, true, f"{int(table[true, predicted]):,}", ha="center", va="center")
        axes.set_xlim(-0.5, classes - 0.5)
        axes.set_ylim(classes - 0.5, -0.5)
        axes.set_aspect("equal")
        size = min(9.0, 0.8 * 72 * side / classes)
        axes.set_xticks(range(classes), names, fontsize=size)
        if classes > 3:
            for name in axes.get_xticklabels():
                name.set(rotation=40 if annotated else 90, ha="right" if annotated else "center")
        axes.set_yticks(range(classes), names, fontsize=size)
        axes.tick_params(length=0, labelcolor=PALETTE["ink"])
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        return _rendered(figure, form)


def _square(x: int, y: int, half: float = 0.48) -> list[tuple[float, float]]:
    return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]


def label_balance(balance: Mapping[str, Mapping[str, int]], *, form: Form = "png") -> bytes:
    """The share of each label in each split; ``balance`` as split -> label -> rows. Rare ones of many stand as one."""
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
        return _rendered(figure, form)


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


def _draw_shares(axes: Axes, row: int, counts: Sequence[int]) -> None:
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
        return _rendered(figure, form)


def _draw_limit(axes: Axes, max_length: int, end: int) -> None:
    beyond, right = max_length > end, max_length < 0.75 * end
    if not beyond:
        axes.axvline(max_length, color=PALETTE["ink"], linewidth=1, linestyle=(0, (4, 3)))
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


def shortened(text: str, length: int) -> str:
    """One line of at most ``length`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def _rendered(figure: Figure, form: Form) -> bytes:
    buffer = io.BytesIO()
    if form == "svg":
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    else:
        figure.savefig(buffer, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()
