"""What a report says beyond its scores: one file for each aspect, and one line for it in each table below.

An aspect ``x`` is a frozen dataclass in ``x.py``, with ``examine(examination)`` that makes it, or None where it means
nothing for the task, and perhaps ``pictures(found)``. Its part of the page is ``x.html.j2``, its part of the Markdown
``x.md.j2``; both know it as ``found``, the page also its ``pictures`` by name.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

import pyarrow as pa

from luthier.errors import LuthierError
from luthier.evaluation.aspects import (
    answers,
    curves,
    diagnosis,
    generations,
    label_errors,
    reliability,
    robustness,
    seeds,
    side_by_side,
    slices,
    thresholds,
)
from luthier.evaluation.aspects.answers import Answers
from luthier.evaluation.aspects.curves import Curves
from luthier.evaluation.aspects.diagnosis import Diagnosis
from luthier.evaluation.aspects.generations import Generations
from luthier.evaluation.aspects.label_errors import LabelErrors
from luthier.evaluation.aspects.reliability import Reliability
from luthier.evaluation.aspects.robustness import Robustness
from luthier.evaluation.aspects.seeds import SeedSpread
from luthier.evaluation.aspects.side_by_side import SideBySide
from luthier.evaluation.aspects.slices import Slices
from luthier.evaluation.aspects.thresholds import Thresholds
from luthier.evaluation.examination import Examination
from luthier.evaluation.style import Form

log = logging.getLogger(__name__)

Pictures = Mapping[str, Callable[[Form], bytes]]


@dataclass(frozen=True)
class Aspects:
    """What was found, in the order of the page; ``impossible`` says why an aspect is not there that should be."""

    answers: Answers | None = None
    generations: Generations | None = None
    slices: Slices | None = None
    robustness: Robustness | None = None
    curves: Curves | None = None
    thresholds: Thresholds | None = None
    reliability: Reliability | None = None
    label_errors: LabelErrors | None = None
    side_by_side: SideBySide | None = None
    seeds: SeedSpread | None = None
    diagnosis: Diagnosis | None = None
    impossible: dict[str, str] = field(default_factory=dict)

    def found(self) -> dict[str, Any]:
        """Those that are there, by name."""
        known = {name: getattr(self, name) for name in NAMES}
        return {name: aspect for name, aspect in known.items() if aspect is not None}


UNEXAMINED: Final = Aspects()
NAMES: Final = tuple(place.name for place in fields(Aspects) if place.name != "impossible")

EXAMINERS: Final[Mapping[str, Callable[[Examination], Any]]] = {
    "answers": answers.examine,
    "generations": generations.examine,
    "slices": slices.examine,
    "robustness": robustness.examine,
    "curves": curves.examine,
    "thresholds": thresholds.examine,
    "reliability": reliability.examine,
    "label_errors": label_errors.examine,
    "side_by_side": side_by_side.examine,
    "seeds": seeds.examine,
    "diagnosis": diagnosis.examine,
}

PICTURES: Final[Mapping[str, Callable[[Any], Pictures]]] = {
    "answers": answers.pictures,
    "generations": generations.pictures,
    "slices": slices.pictures,
    "curves": curves.pictures,
    "reliability": reliability.pictures,
    "diagnosis": diagnosis.pictures,
}

# What goes beside the report as a Parquet file of the aspect's name.
TABLES: Final[Mapping[str, Callable[[Any], pa.Table]]] = {"label_errors": label_errors.table}


def examined(given: Examination) -> Aspects:
    """Every aspect of an evaluation; one that these rows do not allow is named with the reason."""
    found: dict[str, Any] = {}
    impossible = {}
    for name, examine in EXAMINERS.items():
        log.info("examining: %s", name.replace("_", " "))
        try:
            found[name] = examine(given)
        except LuthierError as error:
            log.warning("%s: not examined: %s", name, error)
            impossible[name] = error.what
    return Aspects(**found, impossible=impossible)


def tables(found: Aspects) -> dict[str, pa.Table]:
    """The table of each aspect that has one, by aspect."""
    return {name: TABLES[name](aspect) for name, aspect in found.found().items() if name in TABLES}


def pictures(found: Aspects) -> dict[str, Pictures]:
    """The pictures of each aspect that has some, by aspect and name."""
    return {name: PICTURES[name](aspect) for name, aspect in found.found().items() if name in PICTURES}
