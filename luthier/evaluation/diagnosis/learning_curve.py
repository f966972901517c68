"""Would more rows help? A cheap model trained on parts of the training rows, and its curve drawn further.

Scored on validation rows. The curve is that of the linear probe on the untuned base, and not that of the tuned model.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from luthier.errors import DataError, LuthierError, UndefinedMetricError
from luthier.evaluation.diagnosis.power_law import PowerLaws, power_laws
from luthier.evaluation.known import Known
from luthier.evaluation.metrics.statistic import resamples
from luthier.evaluation.scores import statistic
from luthier.tasks.metric import METRICS, Metric
from luthier.tasks.task import UNTUNED, BaselineInputs, Predictions

log = logging.getLogger(__name__)

SHARES: Final = (1 / 8, 1 / 4, 1 / 2, 1.0)
FURTHER: Final = (2, 4)
# An eighth of fewer rows says nothing.
LEAST_ROWS = 128
RESAMPLES = 200
SEED = 17
# A curve is not believed further than this.
FARTHEST = 16


@dataclass(frozen=True)
class CurvePoint:
    """The mean score of ``trainings`` on ``rows`` training rows, with the interval of that mean; or one drawn further.

    ``trainings`` is 0 where nothing was trained.
    """

    rows: int
    value: float
    low: float
    high: float
    trainings: int


@dataclass(frozen=True)
class LearningCurve:
    """``of`` says whose curve it is. ``gain`` is how much better the score gets with four times the rows, with its
    interval; ``needed`` is how many rows make up what the tuned model lacks of its target on the validation rows,
    None where nothing is lacking or the curve, followed to sixteen times the rows, never does.

    ``error`` has a, b and c of ``a + b * (rows / most) ** -c``, the distance from the metric's best value.
    """

    of: str
    metric: str
    confidence: float
    points: tuple[CurvePoint, ...]
    further: tuple[CurvePoint, ...]
    gain: float
    gain_low: float
    gain_high: float
    lacking: float
    needed: int | None
    error: tuple[float, float, float]

    @property
    def rows(self) -> int:
        """All training rows."""
        return self.points[-1].rows

    def at(self, rows: float) -> float:
        """The curve's score at so many rows."""
        a, b, c = self.error
        return float(_score_of(METRICS[self.metric], np.asarray(a + b * (rows / self.rows) ** -c)))


def learning_curve(known: Known) -> LearningCurve:
    """The probe's curve.

    Raises:
        LuthierError: there is none, since the recipe asks for none, the task has no probe, or there are too few rows.
    """
    asked, validation = known.evaluation.learning_curve, known.validation
    if asked.by == "none":
        raise LuthierError("evaluation.learning_curve.by is none", where="diagnosis")
    if validation.head.kind != "sequence-classification":
        raise LuthierError(f"no cheap model is trained for {validation.task.name}", where="diagnosis")
    train = known.own_rows
    if len(train) < LEAST_ROWS:
        raise LuthierError(
            f"a learning curve needs {LEAST_ROWS} training rows", where="diagnosis", received=f"{len(train)} rows"
        )
    log.info("drawing the learning curve of the linear probe")
    sizes = [round(share * len(train)) for share in SHARES]
    once = np.ones(len(validation.rows), dtype=int)
    draws = np.concatenate(list(resamples(once, None, RESAMPLES, SEED)))
    drawn = [np.stack(list(_scores(known, train, size, asked.seeds, draws))) for size in sizes]
    return _extrapolated(known, sizes, drawn)


def _scores(known: Known, train: pa.Table, size: int, seeds: int, draws: np.ndarray) -> Iterator[np.ndarray]:
    """For each training on ``size`` rows its score on the validation rows, and on each resample of them."""
    for seed in range(seeds if size < len(train) else 1):
        rows = train if size == len(train) else _some(train, size, seed)
        try:
            found = statistic(known.metric.name, *_compared(known, rows))
        except (DataError, UndefinedMetricError) as error:
            raise LuthierError(
                f"no learning curve: {error.what}", where="diagnosis", received=f"{size} rows"
            ) from error
        yield np.concatenate([[found.value], found.of_row_draws(draws)])


def _compared(known: Known, train: pa.Table) -> tuple[object, object]:
    validation = known.validation
    given = BaselineInputs(
        train, validation.rows, validation.head, known.model, known.inference, features=known.features
    )
    answers = validation.task.probe(given)
    assert isinstance(answers, Predictions)
    return validation.task.compared(known.metric.name, validation.rows, answers, validation.head)


def _extrapolated(known: Known, sizes: list[int], drawn: list[np.ndarray]) -> LearningCurve:
    """``drawn`` are scores (trainings, 1 + resamples) by size; the first of each row is that of the rows themselves."""
    metric, confidence = known.metric, known.evaluation.confidence
    own = np.array([scores[:, 0].mean() for scores in drawn])
    resampled = _resampled(drawn)
    rows = np.array(sizes, dtype=float)
    fit = power_laws(rows, _errors(metric, own)[None, :])
    # A resample that leaves the metric undefined says nothing of it.
    kept = np.isfinite(resampled).all(axis=1)
    fits = power_laws(rows, _errors(metric, resampled[kept]))
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]

    def between(values: np.ndarray, value: float) -> tuple[float, float]:
        low, high = np.quantile(values, ends)
        return min(float(low), value), max(float(high), value)

    measured = [
        CurvePoint(size, float(own[place]), *between(resampled[kept][:, place], float(own[place])), len(drawn[place]))
        for place, size in enumerate(sizes)
    ]
    further = []
    for factor in FURTHER:
        value = float(_score_of(metric, fit.at(factor * sizes[-1])[0]))
        spread = _score_of(metric, fits.at(factor * sizes[-1]))
        further.append(CurvePoint(factor * sizes[-1], value, *between(spread, value), 0))
    gains = fits.at(sizes[-1]) - fits.at(FURTHER[-1] * sizes[-1])
    gain = float((fit.at(sizes[-1]) - fit.at(FURTHER[-1] * sizes[-1]))[0])
    low, high = between(gains, gain)
    lacking = 0.0 if known.reaches_target else abs(known.evaluation.target - known.score)
    return LearningCurve(
        of=f"linear probe on the {UNTUNED}",
        metric=metric.name,
        confidence=confidence,
        points=tuple(measured),
        further=tuple(further),
        gain=gain,
        gain_low=low,
        gain_high=high,
        lacking=lacking,
        needed=_needed(fit, sizes[-1], lacking) if lacking else None,
        error=(float(fit.a[0]), float(fit.b[0]), float(fit.c[0])),
    )


def _needed(fit: PowerLaws, rows: int, lacking: float) -> int | None:
    """Rows at which the curve is better by ``lacking`` than it is at ``rows``, to two digits."""
    b, c = float(fit.b[0]), float(fit.c[0])
    left = b - lacking
    if left <= 0:
        return None
    found = rows * (left / b) ** (-1 / c)
    if found > FARTHEST * rows:
        return None
    digits = 1 - math.floor(math.log10(found))
    return int(round(found, digits))


def _resampled(drawn: list[np.ndarray]) -> np.ndarray:
    """Mean scores (resamples, sizes): of validation rows drawn anew, the same for all, and of trainings drawn anew."""
    random = np.random.default_rng(SEED)
    means = []
    for scores in drawn:
        chosen = random.integers(0, len(scores), size=(RESAMPLES, len(scores)))
        means.append(scores[chosen, np.arange(1, RESAMPLES + 1)[:, None]].mean(axis=1))
    return np.stack(means, axis=1)


def _some(train: pa.Table, size: int, seed: int) -> pa.Table:
    chosen = np.random.default_rng((SEED, seed)).permutation(len(train))[:size]
    return train.take(pa.array(np.sort(chosen)))


def _errors(metric: Metric, scores: np.ndarray) -> np.ndarray:
    """The distance from the best that the metric may be."""
    return metric.high - scores if metric.higher_is_better else scores - metric.low


def _score_of(metric: Metric, error: np.ndarray) -> np.ndarray:
    return metric.high - error if metric.higher_is_better else metric.low + error
