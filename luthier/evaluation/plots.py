"""Pictures for the Dagster and MLflow pages, as PNG bytes; the same data gives the same bytes."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2a6fbb", "#d9822b", "#8a8f98"


def smoothed(values: Sequence[float], window: int) -> np.ndarray:
    """Running mean over ``window`` values, shorter at the start."""
    sums = np.cumsum(np.insert(np.asarray(values, dtype=float), 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return (sums[ends] - sums[starts]) / (ends - starts)


def series(history: Sequence[Mapping[str, Any]], name: str) -> tuple[list[int], list[float]]:
    """Steps and values of one name in a training history."""
    entries = [entry for entry in history if name in entry]
    return [entry["step"] for entry in entries], [entry[name] for entry in entries]


def curves(history: Sequence[Mapping[str, Any]], metric: str) -> bytes:
    """Training and validation loss by step, and the validation metric beside them."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps, losses = series(history, "loss")
    left.plot(steps, losses, color=BLUE, alpha=0.2, linewidth=0.8)
    left.plot(steps, smoothed(losses, max(1, len(losses) // 30)), color=BLUE, linewidth=1.6, label="training")
    left.plot(*series(history, "eval_loss"), color=ORANGE, marker="o", linewidth=1.6, label="validation")
    left.legend(frameon=False)
    right.plot(*series(history, f"eval_{metric}"), color=ORANGE, marker="o", linewidth=1.6)
    _finish(left, "loss")
    _finish(right, f"validation {metric}")
    return _png(figure)


def label_balance(balance: Mapping[str, Mapping[str, int]]) -> bytes:
    """Rows by split and label, as stacked bars of shares; ``balance`` maps split to label to rows."""
    figure = Figure(figsize=(6, 0.6 + 0.5 * len(balance)), layout="constrained")
    axes = figure.subplots()
    labels = list(next(iter(balance.values())))
    shades = [BLUE, ORANGE, GREY, "#4c9f70", "#9467bd", "#c44e52"]
    splits = list(balance)
    left = np.zeros(len(splits))
    for index, label in enumerate(labels):
        shares = np.array([balance[split][label] / max(1, sum(balance[split].values())) for split in splits])
        axes.barh(splits, shares, left=left, color=shades[index % len(shades)], label=label, height=0.6)
        left += shares
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.spines[:].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    return _png(figure)


def scores(named: Mapping[str, tuple[float, float, float]], metric: str, target: float) -> bytes:
    """A dot with its interval for each name, and the target as a line; values are (value, low, high)."""
    figure = Figure(figsize=(7, 0.9 + 0.45 * len(named)), layout="constrained")
    axes = figure.subplots()
    for index, (value, low, high) in enumerate(named.values()):
        colour = BLUE if index == 0 else GREY
        axes.plot([low, high], [index, index], color=colour, linewidth=2)
        axes.plot(value, index, "o", color=colour, markersize=7)
    axes.axvline(target, color=ORANGE, linestyle="--", linewidth=1.4)
    axes.annotate(f"target {target:g}", (target, -0.7), color=ORANGE, ha="center", va="bottom", annotation_clip=False)
    axes.set_yticks(range(len(named)), list(named))
    axes.set_ylim(len(named) - 0.5, -0.7)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel(metric)
    return _png(figure)


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel("step")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()
