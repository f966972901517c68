"""Pictures of a training and its evaluation, as SVG or PNG bytes that depend on nothing but the values."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from luthier.errors import LuthierError
from luthier.evaluation.scores import Score
from luthier.evaluation.style import DASHED, PALETTE, STYLE, Form, rendered
from luthier.evaluation.wording import interval, metric_name, number, shortened
from luthier.tasks.metric import METRICS
from luthier.training.history import History


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
        return rendered(figure, form)


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
    best = int(np.argmax(scores) if METRICS[metric].higher_is_better else np.argmin(scores))
    axes.plot(epochs[best], scores[best], "o", color=PALETTE["second"], markersize=9, fillstyle="none")
    below = scores[best] < target if target is not None else not METRICS[metric].higher_is_better
    axes.annotate(
        f"best {number(metric, scores[best])}",
        (epochs[best], scores[best]),
        (4, -9 if below else 9),
        textcoords="offset points",
        ha="right",
        va="top" if below else "bottom",
    )
    if target is not None:
        axes.axhline(target, color=PALETTE["ink"], linewidth=1, linestyle=DASHED)
        axes.annotate(
            f"target {target:g}", (0, target), (4, 4), xycoords=("axes fraction", "data"), textcoords="offset points"
        )
    drawn = scores if target is None else [*scores, target]
    margin = max(0.25 * (max(drawn) - min(drawn)), 0.01)
    axes.set_ylim(min(drawn) - margin, max(drawn) + margin)
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
    names, values = list(scores), [number(metric, score.value) for score in scores.values()]
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
            axes.annotate(values[row], (1.02, row), weight="normal" if row else "bold", **place)
            axes.annotate(interval(metric, score), (1.02 + 0.017 * max(map(len, values)), row), **place)
        if target is not None:
            axes.axvline(target, color=PALETTE["ink"], linewidth=1, linestyle=DASHED, zorder=0)
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
        return rendered(figure, form)


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
        return rendered(figure, form)


def _square(x: int, y: int, half: float = 0.48) -> list[tuple[float, float]]:
    return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
