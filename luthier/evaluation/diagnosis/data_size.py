"""Whether there are too few rows, by the learning curve of a cheap model."""

from luthier.evaluation.diagnosis.finding import Finding
from luthier.evaluation.diagnosis.learning_curve import FURTHER, LearningCurve
from luthier.evaluation.known import Known
from luthier.evaluation.wording import number, places
from luthier.tasks.metric import METRICS

# Of the metric's range, or of its value where that has no end: what four times the rows must bring.
WORTH = 0.01


def data_size_findings(known: Known, curve: LearningCurve | None) -> list[Finding] | None:
    """More rows would help, and more surely than by chance; None without a curve."""
    if curve is None:
        return None
    if curve.gain_low <= 0 or min(curve.gain, _beyond_measured(curve)) < WORTH * _span(curve):
        return []
    name, metric = METRICS[curve.metric].title, curve.metric
    digits = places(metric, curve.gain)
    last = curve.further[-1]
    finding = Finding(
        "too little data",
        "low" if known.reaches_target else "medium",
        f"The learning curve of the {curve.of} still gets better: with {FURTHER[-1]} times the rows its {name} is "
        f"expected at {number(metric, last.value)}, better by {curve.gain:.{digits}f} ({curve.confidence * 100:g} % "
        f"interval {curve.gain_low:.{digits}f} to {curve.gain_high:.{digits}f}). It is the probe's curve and not the "
        "tuned model's.",
        remedy(curve),
        ("data.source",),
        {
            "rows": float(curve.rows),
            "gain": curve.gain,
            "gain low": curve.gain_low,
            "gain high": curve.gain_high,
            **({} if curve.needed is None else {"needed": float(curve.needed)}),
        },
    )
    return [finding]


def remedy(curve: LearningCurve) -> str:
    """How many rows would be needed, as far as the curve tells."""
    if curve.needed is not None:
        lacking = f"{curve.lacking:.{places(curve.metric, curve.lacking)}f}"
        return (
            f"More data: by the probe's curve about {curve.needed:,} training rows, where there are {curve.rows:,} "
            f"now, would bring the {lacking} that the validation score lacks of the target."
        )
    if curve.lacking:
        return "More data helps, but by the probe's curve sixteen times the rows would not bring what is lacking."
    return "More data would make it better still."


def _beyond_measured(curve: LearningCurve) -> float:
    """How much better the furthest point is than what all rows were measured at, which may lie off the curve."""
    gain = curve.further[-1].value - curve.points[-1].value
    return gain if METRICS[curve.metric].higher_is_better else -gain


def _span(curve: LearningCurve) -> float:
    metric = METRICS[curve.metric]
    span = metric.high - metric.low
    return span if span < float("inf") else abs(curve.points[-1].value)
