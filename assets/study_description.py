"""How a study is seen in Dagster's page."""

from pathlib import Path
from typing import Any

import dagster as dg

from assets.materialization import picture, table

ALTS = {
    "history": "score of each trial by its number",
    "curves": "validation score of each trial while it was trained",
    "importances": "importance of each field",
    "parallel": "values and score of each trial",
    "slices": "scores against each field",
}


def described_study(folder: Path, link: dg.MetadataValue) -> dict[str, Any]:
    """The metadata of the study in ``folder``, best first; ``link`` leads to its MLflow run."""
    from luthier.tuning.report import read_study
    from luthier.tuning.wording import headline, states_sentence, trial_rows, value_rows

    result = read_study(folder)
    return {
        "summary": f"{headline(result)} {states_sentence(result)}.",
        "best score": result.best.score,
        "best trial": result.best.number,
        "values": table(value_rows(result)),
        "revisions": "\n".join(result.revisions) or "none",
        "trials": table(trial_rows(result)),
        **{
            name: picture((folder / f"{name}.png").read_bytes(), alt)
            for name, alt in ALTS.items()
            if (folder / f"{name}.png").is_file()
        },
        "ended": result.ended,
        "study": result.study,
        "report": dg.MetadataValue.path(folder / "study.html"),
        "MLflow run": link,
    }
