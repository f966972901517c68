"""Answering rows with a tuned model: the code that a package ships, and that parity asks."""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter

from luthier.data.input_cleaning import InputCleaning
from luthier.errors import DataError
from luthier.methods import Method
from luthier.models.loading import load_tokenizer
from luthier.packaging.merging import load_servable
from luthier.tasks import TASKS
from luthier.tasks.calibration import UNCALIBRATED, Calibration
from luthier.tasks.generation import Generated, generated
from luthier.tasks.head import Head, HeadKind, Problem
from luthier.tasks.language_modeling import LanguageModeling
from luthier.tasks.task import Inference, Predictions

INPUTS: Final = ("text", "pair", "messages")
_TEXT: Final = {"answer": pa.string()}
OUTPUTS: Final[Mapping[Problem | HeadKind, pa.Schema]] = {
    "single_label_classification": pa.schema({"label": pa.string(), "probability": pa.float64()}),
    "multi_label_classification": pa.schema({"labels": pa.string(), "probabilities": pa.string()}),
    "regression": pa.schema({"value": pa.float64()}),
    "token-classification": pa.schema({"spans": pa.string()}),
    "question-answering": pa.schema(
        {"answer": pa.string(), "score": pa.float64(), "start": pa.int64(), "end": pa.int64()}
    ),
    "causal-lm": pa.schema(_TEXT),
    "seq2seq-lm": pa.schema(_TEXT),
}
"""The columns of an answer; labels, probabilities and spans are JSON.

The score of question answering is the probability of the best answer, which is low where none is given. The answer is
``text[start:end]``; both are 0 where none is given.
"""


@dataclass(frozen=True)
class Serving:
    """How a packaged model is asked; ``method`` is that of the adapter beside its base, None of a merged model.

    ``calibration`` is done to what it answers, ``cleaning`` to what it is asked, as it was to what it learned from.
    """

    task: str
    head: Head
    max_length: int
    max_new_tokens: int
    batch_size: int = 32
    method: Method | None = None
    calibration: Calibration = UNCALIBRATED
    cleaning: InputCleaning | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Serving":
        return TypeAdapter(cls).validate_python(config)

    def as_config(self) -> dict[str, Any]:
        """The same as JSON values."""
        return TypeAdapter(Serving).dump_python(self, mode="json")

    def inference(self, *, generated_rows: int) -> Inference:
        return Inference(self.max_length, self.batch_size, self.max_new_tokens, generated_rows)

    @property
    def outputs(self) -> pa.Schema:
        return OUTPUTS[self.head.problem or self.head.kind]


class ServedModel:
    """The model in a folder of ``write_servable``, in float32."""

    def __init__(self, folder: Path, serving: Serving):
        self.serving = serving
        self.tokenizer = load_tokenizer(folder)
        self.model = load_servable(folder, serving.head, serving.method)

    def for_another_thread(self) -> Self:
        """The same model; a tokenizer cannot be used while another thread changes how it cuts, so it has its own."""
        found = copy.copy(self)
        found.tokenizer = copy.deepcopy(self.tokenizer)
        return found

    def predict(self, rows: pa.Table, how: Inference) -> Predictions:
        """The answers to rows of a split, with their evidence."""
        found = TASKS[self.serving.task].predict(self.model, self.tokenizer, rows, self.serving.head, how)
        return self.serving.calibration.applied(found, self.serving.head)

    def answers(self, given: pa.Table) -> pa.Table:
        """The columns of ``OUTPUTS`` for rows of some of the columns of ``INPUTS``.

        Raises:
            DataError: a row has no text, no pair beside rows that have one, or messages that are no conversation or
                one that the model's chat template refuses.
        """
        if not self.serving.head.is_language_model:
            return self.explained(given)[0]
        texts = self.written(given, self.serving.inference(generated_rows=len(given)))
        return pa.table({"answer": [text.text for text in texts]}, schema=self.serving.outputs)

    def explained(self, given: pa.Table) -> tuple[pa.Table, Predictions]:
        """``answers`` beside what they come from, of a model that does not write."""
        if not len(given):
            return self.serving.outputs.empty_table(), Predictions([], [])
        found = self.predict(rows_of(given, self.serving.cleaning), self.serving.inference(generated_rows=0))
        pairs = zip(found.answers, found.evidence, strict=True)
        columns = [answer_columns(answer, evidence, self.serving.head) for answer, evidence in pairs]
        return pa.Table.from_pylist(columns, schema=self.serving.outputs), found

    def written(
        self, given: pa.Table, how: Inference, *, heard: Callable[[str], None] | None = None
    ) -> list[Generated]:
        """The texts of ``answers``, and how each came about, of a model that writes.

        Raises:
            DataError: as ``answers`` does.
        """
        if not len(given):
            return []
        task = TASKS[self.serving.task]
        assert isinstance(task, LanguageModeling)
        ends = task.ends(self.tokenizer, self.serving.head)
        prompts = self._prompts(rows_of(given, self.serving.cleaning))
        return generated(self.model, self.tokenizer, prompts, ends, how, heard=heard)

    def _prompts(self, rows: pa.Table) -> list[list[int]]:
        """What a model that writes reads of each row.

        Refuses what the chat template does: its answer would be empty, as if the model had nothing to say.
        """
        task = TASKS[self.serving.task]
        assert isinstance(task, LanguageModeling)
        prompts = task.prompts(rows, self.tokenizer, self.serving.head, max_length=self.serving.max_length)
        if [] in prompts:
            number = prompts.index([])
            raise DataError(
                f"the model's chat template refuses the conversation of row {number}",
                received=rows["messages"][number].as_py() or rows["text"][number].as_py(),
                remedy="let user and assistant take turns, the user first; leave a system message out",
            )
        return prompts


def asked_columns(rows: pa.Table) -> list[str]:
    """The columns of ``INPUTS`` that rows of a split have."""
    return [name for name in INPUTS if rows[name].null_count < len(rows)]


def rows_of(given: pa.Table, cleaning: InputCleaning | None = None) -> pa.Table:
    """Rows as a split has them, with nulls for what was not given, cleaned as ``cleaning`` says.

    Raises:
        DataError: a row has no text, no pair beside rows that have one, or messages that are no conversation.
    """
    absent = pa.nulls(len(given), pa.string())
    columns = {name: given[name].cast(pa.string()) if name in given.column_names else absent for name in INPUTS}
    rows = pa.table(columns).to_pylist()
    paired = any(row["pair"] is not None for row in rows)
    for number, row in enumerate(rows):
        if row["messages"] is not None:
            _require_conversation(number, row["messages"])
        if cleaning is not None:
            row |= cleaning.row(number, row)
        if row["messages"] is None and not (row["text"] or "").strip():
            raise DataError(f"row {number} has no text", remedy="give it one, or leave the row out")
        if paired and not (row["pair"] or "").strip():
            raise DataError(f"row {number} has no pair", remedy="give it one, or leave the row out")
    schema = pa.schema({**dict.fromkeys((*INPUTS, "label"), pa.string()), "label_id": pa.int64()})
    return pa.Table.from_pylist(rows, schema=schema)


def _require_conversation(number: int, messages: str) -> None:
    try:
        turns = json.loads(messages)
    except json.JSONDecodeError:
        turns = None
    if not isinstance(turns, list) or not turns or not all(_is_turn(turn) for turn in turns):
        raise DataError(
            f"the messages of row {number} are no conversation",
            received=messages,
            remedy='give JSON, such as [{"role": "user", "content": "Hi"}]',
        )


def _is_turn(turn: Any) -> bool:
    return isinstance(turn, dict) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str)


def answer_columns(answer: Any, evidence: np.ndarray, head: Head) -> dict[str, Any]:
    """The columns of ``OUTPUTS`` for one row."""
    match head.problem or head.kind:
        case "single_label_classification":
            return {"label": answer, "probability": evidence.max()}
        case "multi_label_classification":
            probabilities = {label: round(float(value), 6) for label, value in zip(head.labels, evidence, strict=True)}
            return {"labels": _json(answer), "probabilities": _json(probabilities)}
        case "regression":
            return {"value": answer}
        case "token-classification":
            return {"spans": _json(answer)}
        case "question-answering":
            start, end = evidence[4:].astype(int)
            return {"answer": answer, "score": evidence[0] * evidence[1], "start": start, "end": end}
        case _:
            return {"answer": answer}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
