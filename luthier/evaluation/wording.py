"""What an evaluation says in words: one wording for the page, the card and the command line."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from luthier.tasks.metric import METRICS

if TYPE_CHECKING:
    from luthier.evaluation.examples import Examples
    from luthier.evaluation.paired import PairedDifference
    from luthier.evaluation.report import EvaluationReport
    from luthier.evaluation.scores import Score
    from luthier.evaluation.two_groups import Difference

PLACES = 3
NOTHING = "–"


def metric_name(metric: str) -> str:
    """The metric's name as prose has it."""
    return METRICS[metric].title


def shortened(text: str, length: int) -> str:
    """One line of at most ``length`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def listed(names: list[str]) -> str:
    """``a, b and c``"""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def places(metric: str, value: float) -> int:
    """Decimals that suffice: three of a metric that has bounds, three digits in all of one that may be any size."""
    if math.isfinite(METRICS[metric].high) or value == 0:
        return PLACES
    return max(0, PLACES - 1 - math.floor(math.log10(abs(value))))


def number(metric: str, value: float) -> str:
    """``0.846``, ``21.3``, ``1,234``"""
    return f"{value:,.{places(metric, value)}f}"


def interval(metric: str, score: "Score", digits: int | None = None) -> str:
    """``0.828 to 0.863``, by default with the decimals of the value."""
    shown = places(metric, score.value) if digits is None else digits
    return f"{score.low:,.{shown}f} to {score.high:,.{shown}f}"


def scored(score: "Score | None") -> str:
    """``0.846 (0.828 to 0.863)``, ``–`` where there is none."""
    if score is None:
        return NOTHING
    return f"{score.value:.{PLACES}f} ({score.low:.{PLACES}f} to {score.high:.{PLACES}f})"


def share(value: float | None) -> str:
    """``0.846``, ``–`` where there is none."""
    return NOTHING if value is None else f"{value:.{PLACES}f}"


def filters(length: int) -> dict[str, Callable[..., Any]]:
    """What the templates of the page and of the Markdown call; texts are cut to ``length`` characters."""
    return {"metric_name": metric_name, "scored": scored, "share": share, "short": lambda text: shortened(text, length)}


def signed(found: "Difference | PairedDifference", digits: int) -> str:
    """``-0.140 (-0.210 to -0.080)``"""
    return f"{found.value:+,.{digits}f} ({found.low:+,.{digits}f} to {found.high:+,.{digits}f})"


def score_texts(report: "EvaluationReport", metric: str, score: "Score") -> tuple[str, str]:
    """Value and interval for a table; those of the deciding metric with the decimals that its verdict needs."""
    shown = decimals(report) if metric == report.metric else places(metric, score.value)
    return f"{score.value:,.{shown}f}", interval(metric, score, shown)


def beside_texts(report: "EvaluationReport") -> list[tuple[str, ...]]:
    """The model and its baselines for a table: name, score, interval, the model's paired gain, its p and McNemar's."""
    return [
        (name, *score_texts(report, report.metric, score), *_gain_texts(report.metric, report.gains.get(name)))
        for name, score in report.beside_baselines.items()
    ]


def _gain_texts(metric: str, gain: "PairedDifference | None") -> tuple[str, str, str]:
    if gain is None:
        return NOTHING, NOTHING, NOTHING
    mcnemar = NOTHING if gain.mcnemar_p is None else f"{gain.mcnemar_p:.2g}"
    return signed(gain, places(metric, gain.value)), f"{gain.p:.2g}", mcnemar


def decimals(report: "EvaluationReport") -> int:
    """Decimals at which value and bounds of the deciding metric still lie on the target's true side."""
    metric, score, target = METRICS[report.metric], report.deciding, report.target
    first = places(metric.name, score.value)
    for found in range(first, first + 3):
        exact = (score.value, score.low, score.high)
        if all(metric.reaches(round(v, found), float(f"{target:g}")) == metric.reaches(v, target) for v in exact):
            return found
    return first + 3


def verdict_sentence(report: "EvaluationReport") -> str:
    """``Met: accuracy 0.846 (95 % interval 0.828 to 0.863) against a target of 0.84.``

    Where other conditions than the target fail, their reasons follow.
    """
    value, bounds = score_texts(report, report.metric, report.deciding)
    limit = "" if METRICS[report.metric].higher_is_better else "at most "
    others = (each for each in report.gate if each.decides and not each.passed and each.name != "target")
    failed = "".join(f"; {condition.reason}" for condition in others)
    return (
        f"{report.verdict.capitalize()}: {metric_name(report.metric)} {value} "
        f"({report.confidence * 100:g} % interval {bounds}) against a target of {limit}{report.target:g}{failed}."
    )


def interval_sentence(report: "EvaluationReport") -> str:
    """What the interval says of the target."""
    metric, score, target = METRICS[report.metric], report.deciding, report.target
    better, worse, reaches = ("above", "below", "up") if metric.higher_is_better else ("below", "above", "down")
    best, worst = (score.high, score.low) if metric.higher_is_better else (score.low, score.high)
    rows = f"{report.scored_rows[report.metric]:,} test rows cannot rule out that the model"
    if metric.reaches(worst, target):
        return f"The whole interval lies at or {better} the target."
    if metric.reaches(score.value, target):
        return f"The interval reaches {worse} the target: {rows} falls short of it."
    if metric.reaches(best, target):
        return f"The interval reaches {reaches} to the target: {rows} meets it."
    return f"The whole interval lies {worse} the target."


def remark_sentences(report: "EvaluationReport") -> list[str]:
    """What a verdict is read with: what its interval, the baselines and the champion say of it."""
    found = (interval_sentence(report), baseline_sentence(report), champion_sentence(report))
    return [sentence for sentence in found if sentence]


def reads_sentence(report: "EvaluationReport") -> str | None:
    """How often the test split was read, where that widens the intervals."""
    number = report.reads.number
    if number == 1:
        return None
    each = f"{report.reads.corrected(report.confidence) * 100:.4g}"
    return (
        f"This is reading {number} of this test split. For all {number} to hold together, each interval is one of "
        f"{each} %."
    )


def baseline_sentence(report: "EvaluationReport") -> str | None:
    """How the model stands beside the best of its baselines, if there are any."""
    if not report.baselines:
        return None
    metric, score = report.metric, report.deciding
    sign = 1 if METRICS[metric].higher_is_better else -1
    name, best = max(report.baselines.items(), key=lambda item: sign * item[1].value)
    scores = f"{metric_name(metric)} {number(metric, score.value)} against {number(metric, best.value)}"
    gain = report.gains.get(name)
    if gain is None:
        return f"The best baseline, {name}, was not compared in pairs: {scores}."
    nothing = " On this metric the training gained nothing." if gain.value <= 0 else ""
    return (
        f"The model is {_stands(gain)} the best baseline, {name}: {scores}, a gain of "
        f"{_paired(gain, places(metric, gain.value))}.{nothing}"
    )


def champion_sentence(report: "EvaluationReport") -> str | None:
    """How the model stands beside the registered champion, if there is another one."""
    found = report.champion
    if found is None:
        return None
    name = f"the champion, version {found.version}"
    if found.difference is None or found.candidate is None or found.champion is None:
        return f"It cannot be compared with {name}: {found.reason}."
    metric, gain = report.metric, found.difference
    scores = f"{number(metric, found.candidate.value)} against {number(metric, found.champion.value)}"
    left_out = f" ({found.left_out:,} left out that it was trained or validated on)" if found.left_out else ""
    digits = places(metric, found.candidate.value)
    return (
        f"On {found.rows:,} rows{left_out} it is {_stands(gain)} {name}: {metric_name(metric)} {scores}, "
        f"a gain of {_paired(gain, digits)}."
    )


def _stands(gain: "PairedDifference") -> str:
    if gain.is_better:
        return "significantly better than"
    return "significantly worse than" if gain.is_worse else "not significantly better than"


def _paired(gain: "PairedDifference", digits: int) -> str:
    bounds = f"{gain.confidence * 100:.4g} % interval {gain.low:+,.{digits}f} to {gain.high:+,.{digits}f}"
    chances = [f"p {gain.p:.2g}", *([] if gain.mcnemar_p is None else [f"McNemar's p {gain.mcnemar_p:.2g}"])]
    return f"{gain.value:+,.{digits}f} ({bounds}; {', '.join(chances)})"


def scope_sentences(report: "EvaluationReport") -> list[str]:
    """Which metrics rest on fewer rows than the test split has, and what could not be scored."""
    fewer: dict[int, list[str]] = {}
    for metric, rows in report.scored_rows.items():
        if rows != report.rows["test"]:
            fewer.setdefault(rows, []).append(metric_name(metric))
    return [
        *(f"{listed(names)}: of the {rows:,} test rows that text was generated for." for rows, names in fewer.items()),
        *(f"Not scored: {name} ({reason})." for name, reason in report.unscored.items()),
    ]


def examples_sentence(examples: "Examples") -> str:
    """Which rows the examples are."""
    shown, among = len(examples.rows), examples.among
    if examples.kind == "sample":
        return f"The first {shown:,} of {among:,} test rows that text was generated for, the likeliest token each time."
    if not shown:
        return "None: every test row was predicted right."
    every = among == shown
    if examples.kind == "worst":
        return f"All {among} wrong rows, the worst first." if every else f"The {shown} worst of {among:,} wrong rows."
    surest = f"The {shown} of {among:,} wrong rows of which the model was surest."
    chosen = f"All {among} wrong rows, the surest first." if every else surest
    return f"{chosen} A wrong label in the data looks just like this."
