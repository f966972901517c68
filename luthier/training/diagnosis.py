"""What a training's history says about it: whether it fitted, and if not, how it failed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from luthier.tasks.metric import Metric
from luthier.training.loss_guard import History, losses

Kind = Literal["fit", "overfitting", "underfitting", "divergence", "plateau"]

# Validation loss that rises by this share above its best, while training loss falls by this share, is overfitting.
RISE, FALL = 0.2, 0.1
# Training loss that ends within this share of where it began has learned nothing.
UNMOVED = 0.05
# Evaluations in a row without a better metric are a plateau.
STILL = 3
# Of a metric between 0 and 1: less is noise.
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
    """From one validation to the next: the mean training loss, and what the validation at its end found."""

    epoch: float
    train_loss: float
    validation_loss: float
    score: float


def diagnose(history: History, metric: Metric, *, min_delta: float = 0.0) -> Diagnosis:
    """Names what happened, the gravest first.

    ``history`` has entries with ``loss`` for each step, and with ``eval_loss`` and ``eval_<metric>`` for each
    validation. A metric within ``min_delta`` did not move.
    """
    found, intervals = losses(history), list(_intervals(history, metric.name))
    few = max(1, min(10, len(found) // 10))
    first, last = fmean(found[:few]), fmean(found[-few:])
    if last > first * (1 + FALL):
        return Diagnosis("divergence", f"training loss rose from {first:.3g} to {last:.3g}")
    if evidence := _overfitting(intervals):
        return Diagnosis("overfitting", evidence)
    if last > first * (1 - UNMOVED):
        return Diagnosis("underfitting", f"training loss went from {first:.3g} to {last:.3g}: it hardly fell")
    if evidence := _plateau(intervals, metric, max(min_delta, NOISE)):
        return Diagnosis("plateau", evidence)
    best = (max if metric.higher_is_better else min)(intervals, key=lambda interval: interval.score)
    return Diagnosis(
        "fit",
        f"training loss fell from {first:.3g} to {last:.3g}; validation {metric.title} was best after epoch "
        f"{best.epoch:.3g}, {best.score:.4g}, with a loss of {best.validation_loss:.3g}",
    )


def _intervals(history: History, metric: str) -> Iterator[_Interval]:
    since: list[Mapping[str, float]] = []
    for entry in history:
        since.append(entry)
        if f"eval_{metric}" in entry:
            yield _Interval(entry["epoch"], fmean(losses(since)), entry["eval_loss"], entry[f"eval_{metric}"])
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


def _plateau(intervals: Sequence[_Interval], metric: Metric, margin: float) -> str | None:
    scores = [interval.score for interval in intervals[-STILL:]]
    if len(intervals) <= STILL or max(scores) - min(scores) > margin:
        return None
    return (
        f"validation {metric.title} stayed between {min(scores):.4g} and {max(scores):.4g} "
        f"over the last {STILL} evaluations"
    )
