"""What was answered to each test row, beside the report: two reports are then compared row by row without a model."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from luthier.evaluation.evaluated import Evaluated
from luthier.tasks import TASKS
from luthier.tasks.head import Head
from luthier.tasks.task import Predictions

FILE: Final = "predictions.parquet"
# What the rows are answers of, in the schema's metadata.
ORIGIN: Final = b"luthier"


def write_answers(test: Evaluated, folder: Path) -> None:
    """Writes ``predictions.parquet``."""
    pq.write_table(answers_table(test), folder / FILE)


def answers_table(test: Evaluated) -> pa.Table:
    """What was answered to each row, labels and answers as JSON; of a single label its id and probabilities too."""
    found = test.predictions
    columns = {
        "row": test.rows["row"],
        "text": test.rows["text"],
        "pair": test.rows["pair"],
        "label": _json(test.rows["label"].to_pylist()),
        "answer": _json(found.answers),
        "evidence": pa.array([numbers.ravel() for numbers in found.evidence], pa.list_(pa.float32())),
        **{name: _json(baseline.answers) for name, baseline in test.baselines.items()},
    }
    if test.head.problem == "single_label_classification":
        columns["prediction"] = pa.array(test.outputs.argmax(axis=1))
        columns["probabilities"] = columns["evidence"]
    if "label_id" in test.rows.column_names:
        columns["label_id"] = test.rows["label_id"]
    origin = {"task": test.task.name, "label_kind": test.label_kind, "head": asdict(test.head)}
    return pa.table(columns).replace_schema_metadata({ORIGIN: json.dumps(origin)})


def can_be_read(folder: Path) -> bool:
    """Whether the answers lie in a folder, and say what they are answers of: those of old reports do not."""
    path = folder / FILE
    return path.is_file() and ORIGIN in (pq.read_schema(path).metadata or {})


def read_answers(folder: Path) -> Evaluated:
    """The rows and the tuned model's answers, as ``write_answers`` left them; evidence has one dimension a row."""
    table = pq.read_table(folder / FILE)
    origin = json.loads(table.schema.metadata[ORIGIN])
    head = Head(**{**origin["head"], "labels": tuple(origin["head"]["labels"])})
    # Spans are lists of structs, which Arrow infers as it did when they were written.
    columns: dict[str, Any] = {"label": [json.loads(text) for text in table["label"].to_pylist()]}
    columns |= {name: table[name] for name in ("row", "text", "pair", "label_id") if name in table.column_names}
    answers = [json.loads(text) for text in table["answer"].to_pylist()]
    evidence = [np.asarray(numbers.values) for numbers in table["evidence"]]
    found = Predictions(answers, evidence)
    return Evaluated(TASKS[origin["task"]], head, origin["label_kind"], pa.table(columns), found)


def _json(values: Sequence[Any]) -> pa.Array:
    return pa.array([json.dumps(value, ensure_ascii=False) for value in values], pa.string())
