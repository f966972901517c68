"""Asking a registered model."""

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from luthier.errors import LuthierError
from pipelines.home_resources import home_tracking


def read_texts(path: Path) -> list[str]:
    """The lines of a UTF-8 file, or of standard input for ``-``; empty lines are left out."""
    try:
        content = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LuthierError("cannot be read", where=str(path), received=str(error), remedy="give a UTF-8 file") from None
    return [line for line in content.splitlines() if line.strip()]


def paired(pairs: Sequence[str], texts: Sequence[str]) -> list[str]:
    """A second text for each text: one for all, or as many as there are texts."""
    if len(pairs) not in (1, len(texts)):
        raise LuthierError(
            "--pair does not fit the texts",
            received=f"{len(pairs)} for {len(texts)} texts",
            remedy="give one for all, or one for each",
        )
    return [*pairs] if len(pairs) == len(texts) else [pairs[0]] * len(texts)


def answers(model: str, given: Mapping[str, Sequence[str]], version: str | None = None) -> list[dict[str, Any]]:
    """The answer of a version, or the champion, to each row beside what was given: columns of the same length."""
    import pyarrow as pa

    from resources.asked_model import asked_model

    asked = asked_model(home_tracking(), model, version)
    require_columns(model, given, required=asked.inputs.required, known=asked.inputs.names)
    rows = pa.table(dict(given))
    pairs = zip(rows.to_pylist(), asked.answer(rows).to_pylist(), strict=True)
    return [{**row, **answer} for row, answer in pairs]


def printed(answer: Mapping[str, Any], given: Sequence[str]) -> str:
    """A row as a line: what the model says, and then what it was asked, the columns in ``given``."""
    said = [value for name, value in answer.items() if name not in given]
    shown = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in said]
    return "  ".join([*shown, *(answer[name] for name in given)])


def require_columns(model: str, given: Collection[str], *, required: Sequence[str], known: Sequence[str]) -> None:
    """Refuses rows that lack what the model needs, or have what it would not read."""
    missing = [name for name in required if name not in given]
    unknown = [name for name in given if name not in known]
    if missing or unknown:
        raise LuthierError(
            f"the model needs {', '.join(missing)}" if missing else f"the model reads no {', '.join(unknown)}",
            where=model,
            received=", ".join(given),
            remedy="give one with --pair" if "pair" in missing else f"give {', '.join(known)}",
        )
