"""A file answered row by row in constant memory; what is done survives a kill, and the next call goes on after it."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.digest import file_digest
from luthier.durable import written_whole
from luthier.errors import LuthierError
from luthier.prediction.answering import REASON, Answer, answered
from luthier.prediction.input_file import InputFile
from luthier.prediction.output import writer_for
from luthier.prediction.parts import Parts
from luthier.prediction.prompts import ModelInputs, PromptReader, prompt_reader

if TYPE_CHECKING:
    from luthier.recipe.data_section import DataSection

log = logging.getLogger(__name__)

ROW, VERSION = "row", "model_version"
# Of a finished Parquet file: what it was made from.
PLAN_KEY: Final = b"luthier.prediction"
# So many rows are sorted by length, answered and kept together; texts take long to generate.
CHUNK_ROWS: Final = 4096
GENERATED_CHUNK_ROWS: Final = 64


@dataclass(frozen=True)
class AskedModel:
    """A version of a model: what it wants of a row, what it says, and how it is asked."""

    name: str
    version: str
    inputs: ModelInputs
    outputs: pa.Schema
    answer: Answer

    @property
    def chunk_rows(self) -> int:
        return GENERATED_CHUNK_ROWS if self.outputs.names == ["answer"] else CHUNK_ROWS


@dataclass(frozen=True)
class Progress:
    """``done`` rows of ``rows`` are on disk; ``before`` of them were so when this call began."""

    done: int
    rows: int
    before: int


@dataclass(frozen=True)
class Answered:
    """``unanswered`` rows have a reason; ``columns`` are those that were added to the input's."""

    out: Path
    model: str
    version: str
    rows: int
    unanswered: int
    columns: tuple[str, ...]

    @property
    def said(self) -> str:
        """The same as a sentence or two."""
        *answer, _, _, reason = self.columns
        without = f"; {self.unanswered:,} have none, and why in {reason}" if self.unanswered else ""
        return (
            f"{self.rows - self.unanswered:,} rows answered by {self.model} version {self.version}{without}\n"
            f"{self.out}: {', '.join(answer)} beside the input's columns"
        )


def predict_file(
    given: InputFile,
    out: Path,
    model: AskedModel,
    data: "DataSection",
    folder: Path,
    *,
    text: str | None = None,
    pair: str | None = None,
    tell: Callable[[Progress], None] = lambda _: None,
) -> Answered:
    """Answers every row of ``given`` and writes all to ``out``; ``folder`` is that of ``claimed(out)``.

    The output has the input's columns, those of the answer, ``row`` (from 1), ``model_version`` and ``reason``, which
    says why a row has no answer; a name that the input has is put behind ``predicted_``. ``text`` and ``pair`` are
    columns or templates that go before the recipe's.

    Raises:
        DataError: the file as a whole cannot be read, or nothing in it says what the model is asked.
        LuthierError: the output was begun with another model, input or reading; or it is there already.
    """
    write = writer_for(out)
    columns = given.columns()
    reader = prompt_reader(data, columns, model.inputs, text=text, pair=pair)
    plan = _plan(given, columns, model, reader)
    schema = _schema(given.schema(columns), model, plan)
    reason = schema.names[-1]
    if _is_finished(out, folder, plan):
        return _result(out, model, schema, columns, pq.ParquetFile(out).iter_batches(columns=[reason]))
    parts = Parts(folder, plan, model.chunk_rows)
    count = _answer(given, parts, model, reader, schema, len(columns), tell)
    with written_whole(out, scratch=folder) as path:
        write(path, schema, parts.tables(count))
    result = _result(out, model, schema, columns, parts.tables(count, [reason]))
    parts.finish()
    return result


def _plan(given: InputFile, columns: list[str], model: AskedModel, reader: PromptReader) -> dict[str, Any]:
    return {
        "input": file_digest(given.path),
        "form": given.form,
        "pattern": given.pattern,
        "columns": columns,
        "model": model.name,
        "version": model.version,
        "text": dict(reader.described),
        "chunk_rows": model.chunk_rows,
    }


def _schema(given: pa.Schema, model: AskedModel, plan: dict[str, Any]) -> pa.Schema:
    added = [*model.outputs, pa.field(ROW, pa.int64()), pa.field(VERSION, pa.string()), pa.field(REASON, pa.string())]
    fields, taken = list(given), {*given.names}
    for field in added:
        name = field.name
        while name in taken:
            name = f"predicted_{name}"
        taken.add(name)
        fields.append(field.with_name(name))
    return pa.schema(fields, metadata={PLAN_KEY: json.dumps(plan, ensure_ascii=False)})


def _is_finished(out: Path, folder: Path, plan: dict[str, Any]) -> bool:
    """Whether the output is there, made by this very plan. Raises LuthierError when it is another's."""
    if not out.exists() or Parts.begun(folder):
        return False
    if out.suffix.lower() == ".parquet" and _made_by(out) == plan:
        return True
    raise LuthierError("the output is there already", where=str(out), remedy="remove it, or write to another file")


def _made_by(out: Path) -> Any:
    try:
        metadata = pq.read_schema(out).metadata or {}
    except (pa.ArrowException, OSError):
        return None
    return json.loads(metadata.get(PLAN_KEY, b"null"))


def _answer(
    given: InputFile,
    parts: Parts,
    model: AskedModel,
    reader: PromptReader,
    schema: pa.Schema,
    width: int,
    tell: Callable[[Progress], None],
) -> int:
    """How many parts there are now that all rows are answered."""
    rows, number = given.count(), parts.done()
    before = done = min(number * parts.rows, rows)
    tell(Progress(done, rows, before))
    own = pa.schema(list(schema)[:width])
    if done < rows:
        for chunk in given.chunks(parts.rows, schema=own, read=reader.columns, skip=done):
            said = answered(chunk.records, reader, model.answer, inputs=model.inputs.names, outputs=model.outputs)
            places = pa.array(range(chunk.first, chunk.first + len(said)), pa.int64())
            versions = pa.array([model.version] * len(said), pa.string())
            added = [*said.columns[:-1], places, versions, said[REASON]]
            parts.write(number, pa.Table.from_arrays([*chunk.table.columns, *added], schema=schema))
            number, done = number + 1, done + len(said)
            tell(Progress(done, rows, before))
    return number


def _result(
    out: Path,
    model: AskedModel,
    schema: pa.Schema,
    columns: list[str],
    tables: Iterable[pa.Table] | Iterator[pa.RecordBatch],
) -> Answered:
    rows = unanswered = 0
    for table in tables:
        rows += table.num_rows
        unanswered += table.num_rows - table[schema.names[-1]].null_count
    return Answered(out, model.name, model.version, rows, unanswered, tuple(schema.names[len(columns) :]))
