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
from luthier.evaluation.aspects import diagnosis, seeds
from luthier.evaluation.aspects.diagnosis import Diagnosis
from luthier.evaluation.aspects.seeds import SeedSpread
from luthier.evaluation.examination import Examination
from luthier.evaluation.style import Form
from luthier.tasks import Task
from luthier.tasks.head import Head

log = logging.getLogger(__name__)

Pictures = Mapping[str, Callable[[Form], bytes]]


@dataclass(frozen=True)
class Aspects:
    """What was found, in the order of the page; ``impossible`` says why an aspect is not there that should be."""

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
    "seeds": seeds.examine,
    "diagnosis": diagnosis.examine,
}

# Changed copies of test rows that an aspect needs the model's answers to, by its name; None where it needs none.
CHANGES: Final[Mapping[str, Callable[[pa.Table, Task, Head], pa.Table | None]]] = {}

PICTURES: Final[Mapping[str, Callable[[Any], Pictures]]] = {"diagnosis": diagnosis.pictures}


def changed_rows(test: pa.Table, task: Task, head: Head) -> dict[str, pa.Table]:
    """What the tuned model is asked beside the test rows themselves, by the aspect that needs it."""
    found = {name: change(test, task, head) for name, change in CHANGES.items()}
    return {name: rows for name, rows in found.items() if rows is not None}


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


def pictures(found: Aspects) -> dict[str, Pictures]:
    """The pictures of each aspect that has some, by aspect and name."""
    return {name: PICTURES[name](aspect) for name, aspect in found.found().items() if name in PICTURES}
