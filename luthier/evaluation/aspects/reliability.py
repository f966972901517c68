"""Whether probabilities hold what they promise, as the model gives them and as they are served."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from luthier.evaluation.calibrating import LEAST_ROWS
from luthier.evaluation.examination import Examination
from luthier.evaluation.metrics import reliability as measures
from luthier.evaluation.reliability_diagram import reliability_diagram
from luthier.evaluation.scores import Score, pivoted, score_of
from luthier.evaluation.style import Form


@dataclass(frozen=True)
class Bin:
    """Answers of a confidence from ``low`` to below ``high``: their mean confidence, and the share that is right."""

    low: float
    high: float
    answers: int
    confidence: float | None
    right: float | None


@dataclass(frozen=True)
class Promises:
    """Probabilities on the test rows, held against what is true.

    ``error`` is the expected calibration error in bins of one width, ``adaptive_error`` that in bins of as many
    answers each. ``by_chance`` is what perfect probabilities would show on these rows, at most.
    """

    error: Score
    adaptive_error: Score
    by_chance: float
    brier: Score
    log_loss: Score
    bins: tuple[Bin, ...]

    @property
    def apart_from_chance(self) -> bool:
        """Whether the error is more than perfect probabilities would show."""
        return self.error.value > self.by_chance


@dataclass(frozen=True)
class Reliability:
    """``raw`` is what the model gives, None where it is served so; ``fitted_rows`` chose the temperature.

    ``of`` says what has a confidence: the one answer of each row, or each label.
    """

    of: Literal["answer", "label"]
    temperature: float
    fitted_rows: int
    served: Promises
    raw: Promises | None = None

    @property
    def shown(self) -> dict[str, Promises]:
        """Before and after the temperature, where that changes something."""
        return {"as served": self.served} if self.raw is None else {"before": self.raw, "as served": self.served}


def examine(given: Examination) -> Reliability | None:
    """The test rows' probabilities; None for tasks whose answers are no classes."""
    problem = given.test.head.problem
    if problem not in ("single_label_classification", "multi_label_classification"):
        return None
    gold = np.asarray(given.test.compared("accuracy")[0])
    temperature, rows = given.calibration.temperature, len(given.known.validation.rows)
    raw = given.uncalibrated
    return Reliability(
        of="answer" if problem == "single_label_classification" else "label",
        temperature=temperature,
        fitted_rows=rows if rows >= LEAST_ROWS else 0,
        served=promises(gold, given.test.outputs, given.confidence),
        raw=None if raw is None or temperature == 1 else promises(gold, np.stack(list(raw.evidence)), given.confidence),
    )


def promises(gold: np.ndarray, outputs: np.ndarray, confidence: float) -> Promises:
    """``gold`` are ids (rows,) or indicators (rows x labels), ``outputs`` probabilities (rows x labels)."""
    confidences, right = measures.answers(gold, outputs)
    edges = measures.equal_width()
    chance = measures.error_by_chance(confidences, edges, confidence=confidence)
    errors = {}
    for name, found in (("width", edges), ("mass", measures.equal_mass(confidences))):
        error = pivoted(measures.calibration_error(confidences, right, found), confidence, least=0.0)
        # Below this the rows cannot tell the error from none at all.
        errors[name] = Score(error.value, 0.0, error.high) if error.value <= chance else error
    return Promises(
        error=errors["width"],
        adaptive_error=errors["mass"],
        by_chance=chance,
        brier=score_of(measures.brier(gold, outputs), confidence),
        log_loss=score_of(measures.log_loss(gold, outputs), confidence),
        bins=tuple(_bins(confidences.ravel(), right.ravel(), edges)),
    )


def _bins(confidences: np.ndarray, right: np.ndarray, edges: np.ndarray) -> list[Bin]:
    places = measures.bin_of(confidences, edges)
    found = []
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = places == place
        means = (float(confidences[inside].mean()), float(right[inside].mean())) if inside.any() else (None, None)
        found.append(Bin(float(low), float(high), int(inside.sum()), *means))
    return found


def pictures(found: Reliability) -> Mapping[str, Callable[[Form], bytes]]:
    """The reliability diagram, before and after."""
    panels = {name: promises.bins for name, promises in found.shown.items()}
    return {"diagram": partial(_drawn, panels, found.of)}


def _drawn(panels: Mapping[str, tuple[Bin, ...]], of: str, form: Form) -> bytes:
    return reliability_diagram(panels, of=of, form=form)
