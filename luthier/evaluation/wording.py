"""What an evaluation says in words: one wording for the page, the card and the command line."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luthier.evaluation.report import EvaluationReport

METRIC_NAMES = {"f1_macro": "macro F1", "f1_micro": "micro F1", "mcc": "Matthews correlation"}


def metric_name(metric: str) -> str:
    """The metric's name as prose has it."""
    return METRIC_NAMES.get(metric, metric)


def decimals(report: "EvaluationReport") -> int:
    """Decimals, at least 3, at which value and bounds still lie on the target's true side."""
    score, target = report.deciding, report.target
    exact = (score.value, score.low, score.high)
    for places in range(3, 6):
        if all((round(number, places) >= float(f"{target:g}")) == (number >= target) for number in exact):
            return places
    return 6


def verdict_sentence(report: "EvaluationReport") -> str:
    """``Met: accuracy 0.846 (95 % interval 0.828 to 0.863) against a target of 0.84.``"""
    score, places = report.deciding, decimals(report)
    return (
        f"{report.verdict.capitalize()}: {metric_name(report.metric)} {score.value:.{places}f} "
        f"({report.confidence * 100:g} % interval {score.low:.{places}f} to {score.high:.{places}f}) "
        f"against a target of {report.target:g}."
    )


def interval_sentence(report: "EvaluationReport") -> str:
    """What the interval says of the target."""
    score, target = report.deciding, report.target
    if score.low >= target:
        return "The whole interval lies at or above the target."
    if score.value >= target:
        return (
            "The interval reaches below the target: "
            f"{report.rows['test']:,} test rows cannot rule out that the model falls short of it."
        )
    if score.high >= target:
        return (
            "The interval reaches up to the target: "
            f"{report.rows['test']:,} test rows cannot rule out that the model meets it."
        )
    return "The whole interval lies below the target."


def baseline_sentence(report: "EvaluationReport") -> str | None:
    """How the model stands beside the best of its baselines, if there are any."""
    if not report.baselines:
        return None
    name, best = max(report.baselines.items(), key=lambda item: item[1].value)
    gain, stands = report.deciding.value - best.value, f"the best baseline, {name} ({best.value:.3f})"
    if gain <= 0:
        return f"The model is not above {stands}: on this metric the training gained nothing."
    if report.deciding.low > best.high:
        return f"The model is {gain:.3f} above {stands}; the intervals do not overlap."
    return f"The model is {gain:.3f} above {stands}; the intervals overlap, so the gain may be chance."
