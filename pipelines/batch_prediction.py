"""``luthier predict --out``: a file answered by a registered model, however large it is."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from luthier.errors import LuthierError
from luthier.recipe.resolving import ResolvedRecipe
from pipelines.batch_progress import progress
from pipelines.home_resources import home_tracking

if TYPE_CHECKING:
    from luthier.prediction.batch import Answered
    from luthier.prediction.input_file import InputFile
    from luthier.recipe.data_section import DataSection

STDIN = "-"


def is_batch_input(file: Path) -> bool:
    """Whether a file's suffix says that it has columns; any other has a text a line."""
    from luthier.data.reading import FORM_OF

    suffixes = [suffix.lower() for suffix in file.suffixes if suffix.lower() != ".gz"]
    return FORM_OF.get(suffixes[-1] if suffixes else "", "text") != "text"


def answer_file(
    recipe: ResolvedRecipe,
    file: Path,
    out: Path,
    *,
    version: str | None,
    form: str | None,
    text: str | None,
    pair: str | None,
    console: Console,
) -> "Answered":
    """Answers every row of a file, or of standard input for ``-``, into ``out``. Raises LuthierError."""
    from luthier.prediction.batch import predict_file
    from luthier.prediction.output import writer_for
    from luthier.prediction.parts import claimed
    from resources.asked_model import asked_model

    writer_for(out)
    out = out.absolute()
    try:
        with claimed(out) as folder, progress(console) as bar:
            path = _from_stdin(folder) if str(file) == STDIN else file
            data = recipe.recipe.data
            given = _input(path, form or ("text" if str(file) == STDIN else None), data)
            model = asked_model(home_tracking(), recipe.model_name, version)
            return predict_file(given, out, model, data, folder, text=text, pair=pair, tell=bar.tell)
    except OSError as error:
        raise LuthierError(
            "reading or writing failed",
            where=error.filename or str(out),
            received=str(error),
            remedy="check that the file is there and the disk has room; the same command goes on where it was",
        ) from error


def _from_stdin(folder: Path) -> Path:
    """Kept on disk: it is read more than once, and compared with what an earlier call was given."""
    path = folder / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path


def _input(path: Path, form: str | None, data: "DataSection") -> "InputFile":
    """The form is the one given, that of the suffix, or the recipe's; a pattern counts where the first line has it."""
    from luthier.data.plain_text import compiled
    from luthier.data.reading import TABLE_FORMS, TEXT_FORMS, form_of
    from luthier.prediction.input_file import InputFile

    if form is not None and form not in {*TEXT_FORMS, *TABLE_FORMS}:
        form_of(path, form)
    if not path.is_file():
        raise LuthierError("no such file", where=str(path), remedy="check the path")
    if form is None:
        form = form_of(path) if is_batch_input(path) or path.suffix in (".txt", ".gz") else data.format or "text"
    if form != "text" or data.pattern is None:
        return InputFile(path, form)
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        first = next((line for line in lines if line.strip()), "").rstrip("\r\n")
    return InputFile(path, form, data.pattern if compiled(data.pattern).fullmatch(first) else None)
