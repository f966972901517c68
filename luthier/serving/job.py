"""What passes between the process that speaks HTTP and the one that holds the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Columns = Mapping[str, list[str | None]]


@dataclass(frozen=True)
class Job:
    """The rows of one request, as columns of one length. ``max_new_tokens`` is for models that write."""

    uid: str
    columns: Columns
    rows: int
    max_new_tokens: int | None = None
    stream: bool = False


@dataclass(frozen=True)
class Writing:
    """How a text came about: the tokens read and written, and whether the model ended it by itself."""

    prompt_tokens: int
    tokens: int
    ended: bool


@dataclass(frozen=True)
class Batch:
    """What the model was given at once; said with the first answer of a batch alone."""

    requests: int
    rows: int
    seconds: float


@dataclass(frozen=True)
class Answer:
    """One mapping for each row of a job: the answer's columns, the scores of all labels, how a text was written."""

    version: str
    answers: list[dict[str, Any]]
    scores: list[dict[str, float]] | None = None
    writings: list[Writing] | None = None
    batch: Batch | None = None


@dataclass(frozen=True)
class Piece:
    """The next characters of a text that is being written."""

    version: str
    text: str


@dataclass(frozen=True)
class Refused:
    """Why the model does not answer a job."""

    version: str
    status: int
    message: str
    remedy: str | None = None


@dataclass(frozen=True)
class Started:
    """The model's process can answer. What was asked of one before it may be lost."""

    process: int


Said = Started | Mapping[str, Answer | Piece | Refused]
"""What the model's process says at once; answers go by the ``uid`` of their jobs."""
