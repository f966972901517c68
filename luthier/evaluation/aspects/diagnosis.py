"""What is wrong, by which evidence, and what to do about it: the findings of ``luthier.evaluation.diagnosis``."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from luthier.errors import LuthierError
from luthier.evaluation.diagnosis.data_size import data_size_findings
from luthier.evaluation.diagnosis.finding import Finding, gravest_first
from luthier.evaluation.diagnosis.labels import confusion_findings, imbalance_findings, noise_findings
from luthier.evaluation.diagnosis.learning_curve import LearningCurve, learning_curve
from luthier.evaluation.diagnosis.luck import luck_findings
from luthier.evaluation.diagnosis.plots import learning_curve_picture
from luthier.evaluation.diagnosis.training import training_findings
from luthier.evaluation.examination import Examination
from luthier.evaluation.known import Known
from luthier.evaluation.style import Form

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Diagnosis:
    """``for_tuning`` rests on training and validation rows alone and may change what is searched next; ``on_test``
    rests on test rows and is for people. ``no_curve`` says why there is no learning curve where one was asked for.
    """

    for_tuning: tuple[Finding, ...] = ()
    on_test: tuple[Finding, ...] = ()
    curve: LearningCurve | None = None
    no_curve: str | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, the gravest first."""
        return gravest_first((*self.for_tuning, *self.on_test))


def examine(given: Examination) -> Diagnosis:
    """What is found of each kind."""
    known = given.known
    curve, reason = _curve(known)
    return Diagnosis(
        for_tuning=findings_for_tuning(known, curve),
        on_test=gravest_first([*confusion_findings(given.test), *luck_findings(known, given.test, given.confidence)]),
        curve=curve,
        no_curve=reason,
    )


def findings_for_tuning(known: Known, curve: LearningCurve | None) -> tuple[Finding, ...]:
    """Those that need no test row."""
    return gravest_first(
        [
            *training_findings(known),
            *noise_findings(known),
            *data_size_findings(known, curve),
            *imbalance_findings(known),
        ]
    )


def _curve(known: Known) -> tuple[LearningCurve | None, str | None]:
    try:
        return learning_curve(known), None
    except LuthierError as error:
        log.info("no learning curve: %s", error)
        return None, error.what


def pictures(found: Diagnosis) -> Mapping[str, Callable[[Form], bytes]]:
    """The learning curve, where there is one."""
    return {} if found.curve is None else {"learning_curve": partial(learning_curve_picture, found.curve)}
