"""Answers in columns, as a package gives them to whoever asks: which rows can be asked, and whether two agree."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from luthier.packaging.parity import TOLERANCE, Parity, is_tied, largest_difference, parity_of
from luthier.packaging.serving import answer_columns, asked_columns
from luthier.tasks import TASKS
from luthier.tasks.calibration import UNCALIBRATED, Calibration
from luthier.tasks.head import Head
from luthier.tasks.language_modeling import LanguageModeling
from luthier.tasks.task import Predictions

Ask = Callable[[pa.Table], list[dict[str, Any]]]

# Rows asked again of every later form: of the registered one, whose bytes are compared as well.
KEPT: Final = 8
# JSON texts of numbers, rounded.
NUMBERS: Final = "probabilities"


@dataclass(frozen=True)
class Asked:
    """Rows with the columns that a package takes, and what the reference answered them."""

    rows: pa.Table
    answers: Predictions


def asked_rows(rows: pa.Table, answers: Predictions, task: str, tokenizer: Any, head: Head, max_length: int) -> Asked:
    """The rows of a split that a package does not refuse: not those without a text, or whose template refuses them."""
    columns = asked_columns(rows)
    known = TASKS[task]
    served = [_is_whole(row, columns) for row in rows.select(columns).to_pylist()]
    if isinstance(known, LanguageModeling):
        prompts = known.prompts(rows, tokenizer, head, max_length=max_length)
        served = [whole and prompt != [] for whole, prompt in zip(served, prompts, strict=True)]
    chosen = [row for row, whole in enumerate(served) if whole]
    answered = answers.of(chosen)
    return Asked(rows.select(columns).take(pa.array(chosen, pa.int64())), answered)


def require_same_answers(
    form: str,
    asked: Asked,
    received: Sequence[Mapping[str, Any]],
    head: Head,
    *,
    tolerance: float = TOLERANCE,
    calibration: Calibration = UNCALIBRATED,
) -> Parity:
    """Compares columns with what the reference would have said: numbers by ``tolerance``, texts unless it was tied.

    Raises:
        ParityError: a row differs, or there are none.
    """
    pairs = zip(asked.answers.answers, asked.answers.evidence, strict=True)
    wanted = [answer_columns(*pair, head) for pair in pairs]
    firm = [not is_tied(evidence, head, tolerance, calibration) for evidence in asked.answers.evidence]
    return _require_same(form, wanted, received, firm, tolerance)


@dataclass(frozen=True)
class KeptAnswers:
    """A few rows and their answers, beside a package: whoever gets the package can see that it still answers so.

    The text of an answer counts where ``firm`` says that no rounding error can change it.
    """

    columns: list[str]
    rows: list[list[Any]]
    answers: list[dict[str, Any]]
    firm: list[bool]
    tolerance: float

    @classmethod
    def of(
        cls,
        asked: Asked,
        received: Sequence[dict[str, Any]],
        head: Head,
        *,
        tolerance: float,
        calibration: Calibration = UNCALIBRATED,
    ) -> "KeptAnswers":
        """The first rows that were asked."""
        firm = [not is_tied(evidence, head, tolerance, calibration) for evidence in asked.answers.evidence[:KEPT]]
        rows = [list(row.values()) for row in asked.rows[:KEPT].to_pylist()]
        return cls(asked.rows.column_names, rows, list(received[:KEPT]), firm, tolerance)

    @classmethod
    def read(cls, file: Path) -> "KeptAnswers":
        """What ``write`` wrote."""
        return cls(**json.loads(file.read_text()))

    def write(self, file: Path) -> None:
        """As JSON."""
        file.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False))

    def require(self, form: str, ask: Ask) -> Parity:
        """Asks each row alone, and compares. Raises ParityError."""
        received = [ask(_one(self.columns, row))[0] for row in self.rows]
        return _require_same(form, self.answers, received, self.firm, self.tolerance)


def _require_same(
    form: str,
    wanted: Sequence[Mapping[str, Any]],
    received: Sequence[Mapping[str, Any]],
    firm: Sequence[bool],
    tolerance: float,
) -> Parity:
    apart = [number_difference(*pair) for pair in zip(wanted, received, strict=True)]
    same = [_texts(one) == _texts(other) for one, other in zip(wanted, received, strict=True)]
    agree = [
        difference <= tolerance and (alike or not certain)
        for difference, alike, certain in zip(apart, same, firm, strict=True)
    ]
    return parity_of(form, apart, agree, tolerance)


def number_difference(wanted: Mapping[str, Any], given: Mapping[str, Any]) -> float:
    """The largest difference between numbers of the same name; infinite where one has others."""
    one, other = _numbers(wanted), _numbers(given)
    if one.keys() != other.keys():
        return float("inf")
    return largest_difference(np.array([*one.values()]), np.array([other[name] for name in one]))


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    listed = json.loads(row[NUMBERS]) if NUMBERS in row else {}
    return {**listed, **{name: value for name, value in row.items() if isinstance(value, float | np.floating)}}


def _texts(row: Mapping[str, Any]) -> dict[str, Any]:
    """All but the numbers that may differ: places in a text are exact."""
    return {n: v for n, v in row.items() if n != NUMBERS and not isinstance(v, float | np.floating)}


def _is_whole(row: Mapping[str, Any], columns: Sequence[str]) -> bool:
    """As a package asks for it: a conversation, or a text; and a second text where the rows have them."""
    asks = row.get("messages") is not None or (row.get("text") or "").strip()
    return bool(asks) and ("pair" not in columns or bool((row["pair"] or "").strip()))


def _one(columns: Sequence[str], row: Sequence[Any]) -> pa.Table:
    return pa.table({name: pa.array([value], pa.string()) for name, value in zip(columns, row, strict=True)})
