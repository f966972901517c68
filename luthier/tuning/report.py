"""A study as files: JSON that is read again, an HTML page, its pictures, and the facts that other assets need."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from luthier.data.tables import write_facts
from luthier.errors import LuthierError
from luthier.tuning.page import pictures, render_page
from luthier.tuning.result import StudyResult, TrialResult
from luthier.tuning.space import Dimension
from luthier.tuning.wording import own_trial


def write_study(result: StudyResult, folder: Path) -> None:
    """Writes study.json, study.html (one file that loads nothing), a PNG for each picture, and facts.json.

    Raises:
        LuthierError: a value that JSON does not hold, as NaN, or that would be read as another.
    """
    (folder / "study.json").write_text(_text(result), encoding="utf-8")
    (folder / "study.html").write_text(render_page(result), encoding="utf-8")
    for name, png in pictures(result, "png").items():
        (folder / f"{name}.png").write_bytes(png)
    write_facts(folder / "facts.json", study_facts(result))


def read_study(folder: Path) -> StudyResult:
    """The study that ``write_study`` left in ``folder``."""
    return _study(json.loads((folder / "study.json").read_text(encoding="utf-8")))


def study_json(result: StudyResult) -> dict[str, Any]:
    """The study as plain values; ``luthier study --json`` prints them."""
    plain = replace(result, space=tuple(replace(dimension, when=dict(dimension.when)) for dimension in result.space))
    return asdict(plain)


def study_facts(result: StudyResult) -> dict[str, Any]:
    """What came of the study, for those who need not read all of it."""
    best, own = result.best, own_trial(result)
    return {
        "recipe": result.recipe,
        "study": result.study,
        "round": result.round,
        "metric": result.metric,
        "trials": len(result.trials),
        "best": {"trial": best.number, "origin": best.origin, "score": best.score, "values": best.values},
        "own_score": own.score if own is not None and own.state == "complete" else None,
        "ended": result.ended,
    }


def _text(result: StudyResult) -> str:
    try:
        text = json.dumps(study_json(result), indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise LuthierError(
            f"a study has a value that JSON does not hold: {error}", where=f"study {result.study}"
        ) from error
    if _study(json.loads(text)) != result:
        remedy = "lists, texts, numbers, true, false and null alone"
        raise LuthierError("a study would be read as another", where=f"study {result.study}", remedy=remedy)
    return text


def _study(values: Mapping[str, Any]) -> StudyResult:
    return StudyResult(
        **{
            **values,
            "space": tuple(map(_dimension, values["space"])),
            "revisions": tuple(values["revisions"]),
            "trials": tuple(map(_trial, values["trials"])),
        }
    )


def _dimension(values: Mapping[str, Any]) -> Dimension:
    when = {field: tuple(allowed) for field, allowed in values["when"].items()}
    return Dimension(**{**values, "choices": tuple(values["choices"]), "when": when})


def _trial(values: Mapping[str, Any]) -> TrialResult:
    return TrialResult(**{**values, "curve": tuple((step, score) for step, score in values["curve"])})
