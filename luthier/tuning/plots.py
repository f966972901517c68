"""Pictures of a study over its trials: scores as they came, importances, learning curves; SVG or PNG bytes."""

from typing import TYPE_CHECKING, Any

from luthier.evaluation.style import PALETTE, STYLE, Form, rendered
from luthier.evaluation.wording import shortened
from luthier.tuning.drawing import BROKEN, WIDTH, Drawn, drawn, legend, scale_scores, score_title
from luthier.tuning.result import StudyResult
from luthier.tuning.wording import own_trial, score_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CROSS: dict[str, Any] = {"marker": "x", "linestyle": "none", "color": PALETTE["muted"], "markersize": 5}


def history_picture(result: StudyResult, form: Form = "svg") -> bytes:
    """The score of each trial by its number, the best so far as a line, and the score of the recipe's own values."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    trials = drawn(result)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.1))
        axes = figure.subplots()
        for found in trials:
            axes.plot(found.trial.number, found.score, **found.dot)
        _draw_best_so_far(axes, result, trials)
        scale_scores(axes, result, [found.score for found in trials])
        numbers = [trial.number for trial in result.trials]
        first, last = min(numbers), max(numbers)
        room = max(0.5, 0.02 * (last - first))
        axes.set_xlim(first - room, last + room)
        _draw_own(axes, result)
        unscored = [trial.number for trial in result.trials if trial.score is None]
        axes.plot(unscored, [0.02] * len(unscored), transform=axes.get_xaxis_transform(), **CROSS)
        axes.xaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
        axes.set_xlabel("trial")
        axes.set_title(score_title(result))
        extra: list[Any] = [Line2D([], [], color=PALETTE["ink"], linewidth=1.1, label="best so far")]
        if unscored:
            extra.append(Line2D([], [], label="no score", **CROSS))
        legend(axes, trials, lines=False, last=extra)
        return rendered(figure, form)


def _draw_best_so_far(axes: "Axes", result: StudyResult, trials: list[Drawn]) -> None:
    better = max if result.higher_is_better else min
    complete = [found for found in trials if not found.pruned]
    numbers, scores = [], list[float]()
    for found in complete:
        numbers.append(found.trial.number)
        scores.append(better([*scores[-1:], found.score]))
    numbers.append(max(trial.number for trial in result.trials))
    scores.append(scores[-1])
    axes.step(numbers, scores, where="post", color=PALETTE["ink"], linewidth=1.1, zorder=1.5)


def _draw_own(axes: "Axes", result: StudyResult) -> None:
    own = own_trial(result)
    if own is None or own.state != "complete" or own.score is None:
        return
    axes.axhline(own.score, color=PALETTE["ink"], linewidth=0.9, linestyle=BROKEN, zorder=1.2)
    # Where the better scores are not.
    below = result.higher_is_better
    axes.annotate(
        f"the recipe's own values, {score_text(result, own)}",
        (1, own.score),
        (0, -3 if below else 3),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        va="top" if below else "bottom",
        color=PALETTE["muted"],
        bbox={"facecolor": PALETTE["paper"], "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
        zorder=4,
    )


def importances_picture(result: StudyResult, form: Form = "svg") -> bytes:
    """A bar for each field, the one that explains most of the scores first."""
    import matplotlib
    from matplotlib.figure import Figure

    ranked = sorted(result.importances.items(), key=lambda item: -item[1])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.95 + 0.3 * len(ranked)))
        axes = figure.subplots()
        rows = range(len(ranked))
        axes.barh(rows, [share for _, share in ranked], height=0.6, color=PALETTE["accent"])
        for row, (_, share) in enumerate(ranked):
            axes.annotate(f"{100 * share:.0f} %", (share, row), (5, 0), textcoords="offset points", va="center")
        axes.set_yticks(rows, [shortened(field, 40) for field, _ in ranked], color=PALETTE["ink"])
        axes.tick_params(axis="y", labelcolor=PALETTE["ink"])
        axes.set_ylim(len(ranked) - 0.5, -0.5)
        axes.set_xlim(0, 1.08 * max(share for _, share in ranked) or 1)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.grid(visible=False)
        axes.set_title("Share of the scores' differences that a field explains")
        return rendered(figure, form)


def curves_picture(result: StudyResult, form: Form = "svg") -> bytes:
    """The validation score of each trial while it was trained; pruned ones end with a cross where they were pruned."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    trials = [found for found in drawn(result) if found.trial.curve]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.3))
        axes = figure.subplots()
        for found in trials:
            steps, scores = zip(*found.trial.curve, strict=True)
            dots: dict[str, Any] = {} if found.pruned else {"marker": "o", "markersize": 3}
            axes.plot(steps, scores, **found.line, **dots)
            if found.pruned:
                axes.plot(steps[-1], scores[-1], zorder=found.order, **CROSS)
        scale_scores(axes, result, [score for found in trials for _, score in found.trial.curve])
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.set_xlabel("optimizer step")
        axes.set_title(score_title(result))
        legend(axes, trials, lines=True)
        return rendered(figure, form)
