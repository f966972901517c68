"""stub"""

import json
from dataclasses import asdict
from pathlib import Path

from luthier.tuning.result import StudyResult, TrialResult
from luthier.tuning.space import Dimension


def write_study(result: StudyResult, folder: Path) -> None:
    (folder / "study.json").write_text(json.dumps(asdict(result)))
    (folder / "facts.json").write_text("{}")


def read_study(folder: Path) -> StudyResult:
    d = json.loads((folder / "study.json").read_text())
    d["space"] = tuple(
        Dimension(**{**x, "choices": tuple(x["choices"]), "when": {k: tuple(v) for k, v in x["when"].items()}})
        for x in d["space"]
    )
    d["trials"] = tuple(TrialResult(**{**t, "curve": tuple(map(tuple, t["curve"]))}) for t in d["trials"])
    d["revisions"] = tuple(d["revisions"])
    return StudyResult(**d)
