"""What a report answers, in which order, and which aspect answers what: one order for the page and the Markdown."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from luthier.evaluation.gate import Condition, ConditionName
from luthier.evaluation.next_step import next_step_sentence
from luthier.evaluation.wording import (
    beside_texts,
    examples_sentence,
    reads_sentence,
    remark_sentences,
    scope_sentences,
    score_texts,
)

if TYPE_CHECKING:
    from luthier.evaluation.report import EvaluationReport

Place = Literal["enough", "better", "fails", "sure", "next", "origin"]

QUESTIONS: Final[dict[Place, str]] = {
    "enough": "Is it good enough?",
    "better": "Is it better than what we have?",
    "fails": "Where does it fail?",
    "sure": "How sure are we?",
    "next": "What next?",
    "origin": "How it was made",
}
# Aspects that are not named here say where the model fails.
PLACES: Final[Mapping[str, Place]] = {
    "seeds": "sure",
    "reliability": "sure",
    "thresholds": "sure",
    "side_by_side": "better",
    "diagnosis": "next",
}
CONDITIONS: Final[Mapping[ConditionName, str]] = {
    "target": "target",
    "labels": "every label",
    "slices": "every slice",
    "calibration": "calibration error",
    "latency": "time for a row",
    "size": "size of the model",
    "champion": "no regression",
}


def said(report: "EvaluationReport") -> dict[str, Any]:
    """What both templates need beside the pictures and the verdict."""
    return {
        "report": report,
        "questions": QUESTIONS,
        "remarks": remark_sentences(report),
        "following": next_step_sentence(report),
        "conditions": list(asked_conditions(report)),
        "read": read_sentence(report),
        "certainty": certainty_sentence(report),
        "scope": scope_sentences(report),
        "score_texts": score_texts,
        "beside": beside_texts(report),
        "examples": examples_sentence(report.examples),
        "aspects": placed(report),
    }


def placed(report: "EvaluationReport") -> dict[Place, dict[str, Any]]:
    """The aspects by the question that they answer, in their own order."""
    found: dict[Place, dict[str, Any]] = {place: {} for place in QUESTIONS}
    for name, aspect in report.aspects.found().items():
        found[PLACES.get(name, "fails")][name] = aspect
    return found


def asked_conditions(report: "EvaluationReport") -> Iterator[tuple[str, Condition]]:
    """The conditions that the recipe asks for, each as people read it."""
    for condition in report.gate:
        if condition.asked:
            yield CONDITIONS[condition.name], condition


def read_sentence(report: "EvaluationReport") -> str:
    """How often the test split was read."""
    return reads_sentence(report) or "This is the first reading of this test split."


def certainty_sentence(report: "EvaluationReport") -> str:
    """What the intervals are."""
    each = f"{report.confidence * 100:g} %"
    corrected = report.reads.corrected(report.confidence)
    more = "" if report.reads.number == 1 else f", made {corrected * 100:.4g} % for the {report.reads.number} readings"
    return (
        f"Intervals hold with {each}{more}: Wilson's for shares of rows, else by 1,000 resamples of the rows, within "
        "each label where a score is one over labels. They say how far other rows of the same kind may lead; rows of "
        "another kind may lead further."
    )
