"""What is wrong, by which evidence, and what to do about it: the findings of ``luthier.evaluation.diagnosis``."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from luthier.errors import LuthierError
from luthier.evaluation.diagnosis.data_size import data_size_findings
from luthier.evaluation.diagnosis.finding import KINDS, Finding, Kind, gravest_first
from luthier.evaluation.diagnosis.labels import confusion_findings, imbalance_findings, noise_findings
from luthier.evaluation.diagnosis.learning_curve import LearningCurve, learning_curve
from luthier.evaluation.diagnosis.luck import luck_findings
from luthier.evaluation.diagnosis.plots import learning_curve_picture
from luthier.evaluation.diagnosis.training import training_findings
from luthier.evaluation.examination import Examination
from luthier.evaluation.known import Known
from luthier.evaluation.style import Form
from luthier.evaluation.wording import listed

log = logging.getLogger(__name__)

# What was looked for together, and what came of it; None where it cannot be told.
Sought = Mapping[tuple[Kind, ...], list[Finding] | None]


@dataclass(frozen=True)
class Diagnosis:
    """``for_tuning`` rests on training and validation rows alone and may change what is searched next; ``on_test``
    rests on test rows and is for people. ``sought`` are the kinds that were looked for: task, rows or recipe may forbid
    to look for the others. ``no_curve`` says why there is no learning curve.
    """

    for_tuning: tuple[Finding, ...] = ()
    on_test: tuple[Finding, ...] = ()
    curve: LearningCurve | None = None
    no_curve: str | None = None
    sought: tuple[Kind, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, the gravest first."""
        return gravest_first((*self.for_tuning, *self.on_test))

    @property
    def scope(self) -> str:
        """What was looked for without being found, and what was not looked for."""
        found = {finding.kind for finding in self.findings}
        absent = [kind for kind in self.sought if kind not in found]
        unsought = [kind for kind in KINDS if kind not in self.sought]
        said = (("Looked for and not found", absent), ("Not looked for, as it cannot be told here", unsought))
        return " ".join(f"{how}: {listed(list(kinds))}." for how, kinds in said if kinds)


def examine(given: Examination) -> Diagnosis:
    """What is found of each kind."""
    known = given.known
    curve, reason = _curve(known)
    for_tuning = _without_test_rows(known, curve)
    on_test: Sought = {
        ("class confusion",): confusion_findings(given.test),
        ("lucky validation",): luck_findings(known, given.test, given.confidence),
    }
    return Diagnosis(
        for_tuning=gravest_first(_found(for_tuning)),
        on_test=gravest_first(_found(on_test)),
        curve=curve,
        no_curve=reason,
        sought=tuple(_told({**for_tuning, **on_test})),
    )


def findings_for_tuning(known: Known, curve: LearningCurve | None) -> tuple[Finding, ...]:
    """Those that need no test row."""
    return gravest_first(_found(_without_test_rows(known, curve)))


def _without_test_rows(known: Known, curve: LearningCurve | None) -> Sought:
    return {
        ("divergence", "overfitting", "underfitting"): training_findings(known),
        ("noisy labels",): noise_findings(known),
        ("too little data",): data_size_findings(known, curve),
        ("label imbalance",): imbalance_findings(known),
    }


def _found(sought: Sought) -> Iterator[Finding]:
    for findings in sought.values():
        yield from findings or ()


def _told(sought: Sought) -> Iterator[Kind]:
    for kinds, findings in sought.items():
        if findings is not None:
            yield from kinds


def _curve(known: Known) -> tuple[LearningCurve | None, str | None]:
    try:
        return learning_curve(known), None
    except LuthierError as error:
        log.info("no learning curve: %s", error)
        return None, error.what


def pictures(found: Diagnosis) -> Mapping[str, Callable[[Form], bytes]]:
    """The learning curve, where there is one."""
    return {} if found.curve is None else {"learning_curve": partial(learning_curve_picture, found.curve)}
