"""The report's page: one HTML file that loads nothing, with drawings that follow the reader's light or dark."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2

from luthier.evaluation.plots import series, smoothed
from luthier.evaluation.scores import Score

if TYPE_CHECKING:
    from luthier.evaluation.report import EvaluationReport

WIDTH, HEIGHT = 420.0, 150.0


def render_page(report: "EvaluationReport", history: Sequence[Mapping[str, Any]]) -> str:
    """The page as HTML; every text of the data is escaped."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files("luthier.evaluation") / "report.html.j2").read_text())
    compared = {"fine-tuned": report.deciding, **report.baselines}
    return template.render(
        report=report,
        dots=_dots(compared, report.target),
        loss=_chart(
            {"training": series(history, "loss"), "validation": series(history, "eval_loss")}, smooth="training"
        ),
        metric=_chart({"validation": series(history, f"eval_{report.metric}")}),
        most=max(max(row) for row in report.confusion),
    )


def _dots(compared: Mapping[str, Score], target: float) -> dict[str, Any]:
    """Positions in percent of the width for each score, its interval and the target."""
    ends = [edge for found in compared.values() for edge in (found.low, found.high)] + [target]
    low, high = min(ends), max(ends)
    margin = 0.06 * (high - low or 1.0)
    low, high = low - margin, high + margin

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    rows = [
        {"name": name, "score": found, "at": place(found.value), "from": place(found.low), "to": place(found.high)}
        for name, found in compared.items()
    ]
    return {"rows": rows, "target": place(target)}


def _chart(lines: Mapping[str, tuple[list[int], list[float]]], smooth: str | None = None) -> dict[str, Any]:
    """SVG polyline points for each line, on shared axes, with the ends of both axes."""
    drawn = {n: (s, list(smoothed(v, max(1, len(v) // 30)) if n == smooth else v)) for n, (s, v) in lines.items() if s}
    values = [value for _, ys in drawn.values() for value in ys]
    last = max(step for xs, _ in drawn.values() for step in xs)
    low, high = min(values), max(values)
    spread = high - low or 1.0

    def points(xs: list[int], ys: list[float]) -> str:
        places = zip(xs, ys, strict=True)
        return " ".join(f"{WIDTH * x / last:.1f},{HEIGHT * (1 - (y - low) / spread):.1f}" for x, y in places)

    return {
        "lines": [{"name": name, "points": points(*xy), "marks": points(*xy).split()} for name, xy in drawn.items()],
        "low": low,
        "high": high,
        "last": last,
        "width": WIDTH,
        "height": HEIGHT,
    }
