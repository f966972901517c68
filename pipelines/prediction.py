"""Asking a registered model."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from luthier.errors import LuthierError
from resources.home import luthier_home
from resources.tracking import Tracking


def read_texts(path: Path) -> list[str]:
    """The lines of a UTF-8 file, or of standard input for ``-``; empty lines are left out."""
    try:
        content = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LuthierError("cannot be read", where=str(path), received=str(error), remedy="give a UTF-8 file") from None
    return [line for line in content.splitlines() if line.strip()]


def answers(model: str, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The champion's label and probability for each text."""
    import pandas as pd

    champion = Tracking(home=str(luthier_home())).load_champion(model)
    found = champion.predict(pd.DataFrame({"text": list(texts)}))
    return [{"text": text, **answer} for text, answer in zip(texts, found.to_dict("records"), strict=True)]
