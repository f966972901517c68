"""What a training's history says about it: whether it fitted, and if not, how it failed."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from luthier.tasks.metric import Metric
from luthier.training.history import History, losses

Kind = Literal["fit", "overfitting", "underfitting", "divergence", "plateau", "short"]

# Validation loss that rises by this share above its best, while training loss falls by this share, is overfitting.
RISE, FALL = 0.2, 0.1
# So is a gap between the validation loss and that of training rows, scored alike, of this share of the starting loss;
# and a score that moved by this share of its range away from its best.
GAP, DROP = 0.5, 0.1
# Validation loss that ends above so many times the starting loss is divergence.
ABOVE = 3.0
# Fewer losses than these say nothing of a trend.
LEAST = 10
# A score within this share of the best there is has nothing left to learn.
EXCELLENT = 0.02
# Training loss that ends within this share of where it began has learned nothing.
UNMOVED = 0.05
# Evaluations in a row without a better metric are a plateau.
STILL = 3
# Of what a metric may be, or of its value where that has no end: less is noise.
NOISE = 0.002


@dataclass(frozen=True)
class Diagnosis:
    """What a training did, and the numbers that say so."""

    kind: Kind
    evidence: str

    @property
    def healthy(self) -> bool:
        """A plateau is no failure: more epochs would bring nothing."""
        return self.kind in ("fit", "plateau")


@dataclass(frozen=True)
class _Interval:
    """From one validation to the next: the mean training loss, and what the validation at its end found.

    ``sample_loss`` is that of the training rows that were scored with it, if some were.
    """

    epoch: float
    train_loss: float
    validation_loss: float
    score: float
    sample_loss: float | None = None


def diagnose(history: History, metric: Metric, *, min_delta: float = 0.0) -> Diagnosis:
    """Names what happened, the gravest first.

    ``history`` has entries with ``loss`` for each step, with ``eval_loss`` and ``eval_<metric>`` for each validation,
    and with ``train_loss`` for the training rows scored after it. A metric within ``min_delta`` did not move.
    """
    found, intervals = losses(history), list(_intervals(history, metric.name))
    if len(found) < LEAST:
        return Diagnosis("short", f"{len(found)} steps are too few to say anything: at least {LEAST} would be")
    few = max(1, min(10, len(found) // 10))
    first, last = fmean(found[:few]), fmean(found[-few:])
    best = (max if metric.higher_is_better else min)(intervals, key=lambda interval: interval.score)
    if last > first * (1 + FALL):
        return Diagnosis("divergence", f"training loss rose from {first:.3g} to {last:.3g}")
    if evidence := _overfitting(intervals) or _gap(intervals[-1], first) or _drop(best, intervals[-1], metric):
        return Diagnosis("overfitting", evidence)
    if (ended := intervals[-1].validation_loss) > ABOVE * first > 0:
        return Diagnosis("divergence", f"validation loss ended at {ended:.3g}, where training began at {first:.3g}")
    if last > first * (1 - UNMOVED) and not _excellent(best.score, metric):
        return Diagnosis("underfitting", f"training loss went from {first:.3g} to {last:.3g}: it hardly fell")
    if evidence := _plateau(intervals, metric, max(min_delta, NOISE * _scale(metric, best.score))):
        return Diagnosis("plateau", evidence)
    return Diagnosis(
        "fit",
        f"training loss fell from {first:.3g} to {last:.3g}; validation {metric.title} was best after epoch "
        f"{best.epoch:.3g}, {best.score:.4g}, with a loss of {best.validation_loss:.3g}",
    )


def _intervals(history: History, metric: str) -> Iterator[_Interval]:
    since: list[Mapping[str, float]] = []
    for place, entry in enumerate(history):
        since.append(entry)
        if f"eval_{metric}" in entry:
            following = history[place + 1] if place + 1 < len(history) else {}
            yield _Interval(
                entry["epoch"],
                fmean(losses(since)),
                entry["eval_loss"],
                entry[f"eval_{metric}"],
                following.get("train_loss"),
            )
            since = []


def _overfitting(intervals: Sequence[_Interval]) -> str | None:
    best, last = min(intervals, key=lambda interval: interval.validation_loss), intervals[-1]
    rises = last.validation_loss > best.validation_loss * (1 + RISE)
    falls = last.train_loss < best.train_loss * (1 - FALL)
    if not (rises and falls):
        return None
    return (
        f"validation loss rose from {best.validation_loss:.3g} (epoch {best.epoch:.3g}) to {last.validation_loss:.3g} "
        f"(epoch {last.epoch:.3g}) while training loss fell from {best.train_loss:.3g} to {last.train_loss:.3g}"
    )


def _gap(last: _Interval, start: float) -> str | None:
    """What is known by heart: training rows, scored as validation rows are, have a far lower loss."""
    if last.sample_loss is None or last.validation_loss - last.sample_loss <= GAP * start or start <= 0:
        return None
    return (
        f"after epoch {last.epoch:.3g} validation loss is {last.validation_loss:.3g} and that of training rows "
        f"{last.sample_loss:.3g}: the gap is more than half of where training began ({start:.3g})"
    )


def _drop(best: _Interval, last: _Interval, metric: Metric) -> str | None:
    """Of a metric with an end; the others are the loss by another name."""
    span = metric.high - metric.low
    if not math.isfinite(span) or abs(best.score - last.score) <= DROP * span or last.train_loss >= best.train_loss:
        return None
    return (
        f"validation {metric.title} went from {best.score:.4g} (epoch {best.epoch:.3g}) to {last.score:.4g} "
        f"(epoch {last.epoch:.3g}) while training loss fell from {best.train_loss:.3g} to {last.train_loss:.3g}"
    )


def _scale(metric: Metric, score: float) -> float:
    """What a difference of the metric is held against."""
    span = metric.high - metric.low
    return span if math.isfinite(span) else abs(score)


def _excellent(score: float, metric: Metric) -> bool:
    """Whether nothing is left to be learned."""
    ideal = metric.high if metric.higher_is_better else metric.low
    return abs(ideal - score) <= EXCELLENT * _scale(metric, score)


def _plateau(intervals: Sequence[_Interval], metric: Metric, margin: float) -> str | None:
    scores = [interval.score for interval in intervals[-STILL:]]
    if len(intervals) <= STILL or max(scores) - min(scores) > margin:
        return None
    return (
        f"validation {metric.title} stayed between {min(scores):.4g} and {max(scores):.4g} "
        f"over the last {STILL} evaluations"
    )
