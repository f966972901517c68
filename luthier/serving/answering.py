"""The model of a package, asked for the rows of several requests at once."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa

from luthier.errors import DataError
from luthier.packaging.serving import INPUTS, ServedModel
from luthier.serving.job import Answer, Batch, Job, Piece, Refused, Writing
from luthier.serving.prediction_log import PredictionLog
from luthier.tasks.task import Predictions

log = logging.getLogger(__name__)

# What has a score for each label.
SCORED: Final = ("single_label_classification", "multi_label_classification")

Tell = Callable[[Job, Piece], None]


class AnsweringModel:
    """A version of the model; ``log`` is given all rows that it answered."""

    def __init__(self, served: ServedModel, version: str, log: PredictionLog | None = None):
        self.served, self.version, self.log = served, version, log

    def for_another_thread(self) -> "AnsweringModel":
        return AnsweringModel(self.served.for_another_thread(), self.version, self.log)

    @property
    def writes(self) -> bool:
        return self.served.serving.head.is_language_model

    def answer(self, jobs: Sequence[Job], tell: Tell) -> list[Answer | Refused]:
        """The answers in the order of ``jobs``; ``tell`` is given the pieces of those that stream."""
        found: dict[str, Answer | Refused] = {}
        for group in _groups(jobs):
            found |= self._answered(group, tell)
        return [found[job.uid] for job in jobs]

    def _answered(self, jobs: Sequence[Job], tell: Tell) -> dict[str, Answer | Refused]:
        try:
            return self._answered_at_once(jobs, tell)
        except DataError as error:
            refused = Refused(self.version, 422, error.what, error.remedy)
        except Exception:
            log.exception("the model failed")
            refused = Refused(self.version, 500, "the model failed", "look into the server's log")
        if len(jobs) == 1:
            return {jobs[0].uid: refused}
        # The others are none the worse for it, and row numbers are those of one request.
        return {uid: answer for job in jobs for uid, answer in self._answered([job], tell).items()}

    def _answered_at_once(self, jobs: Sequence[Job], tell: Tell) -> dict[str, Answer | Refused]:
        started = time.perf_counter()
        given = _table(jobs)
        answers, scores, writings = self._rows(jobs[0], given, tell)
        batch = Batch(len(jobs), len(given), time.perf_counter() - started)
        found = self._divided(jobs, answers.to_pylist(), scores, writings, batch)
        if self.log is not None:
            self.log.record(given, answers, version=self.version)
        return found

    def _rows(self, job: Job, given: pa.Table, tell: Tell) -> tuple[pa.Table, Any, Any]:
        """Answers, and of each row the scores of its labels or how it was written, where there are such."""
        if self.writes:
            how = self.served.serving.inference(generated_rows=len(given))
            how = replace(how, max_new_tokens=min(job.max_new_tokens or how.max_new_tokens, how.max_new_tokens))
            heard = (lambda text: tell(job, Piece(self.version, text))) if job.stream else None
            texts = self.served.written(given, how, heard=heard)
            answers = pa.table({"answer": [text.text for text in texts]}, schema=self.served.serving.outputs)
            return answers, None, [Writing(text.prompt_tokens, text.tokens, not text.cut) for text in texts]
        answers, found = self.served.explained(given)
        return answers, self._scores(found), None

    def _scores(self, found: Predictions) -> list[dict[str, float]] | None:
        head = self.served.serving.head
        if head.problem not in SCORED:
            return None
        return [dict(zip(head.labels, evidence.tolist(), strict=True)) for evidence in found.evidence]

    def _divided(
        self, jobs: Sequence[Job], answers: list[Any], scores: Any, writings: Any, batch: Batch
    ) -> dict[str, Answer | Refused]:
        found: dict[str, Answer | Refused] = {}
        start = 0
        for job in jobs:
            part = slice(start, start + job.rows)
            found[job.uid] = Answer(
                self.version,
                answers[part],
                scores and scores[part],
                writings and writings[part],
                batch if start == 0 else None,
            )
            start += job.rows
        return found


def _groups(jobs: Sequence[Job]) -> list[list[Job]]:
    """What can be asked together: a text that is told in pieces is written alone."""
    groups = defaultdict(list)
    for job in jobs:
        groups[(job.max_new_tokens, job.uid if job.stream else None)].append(job)
    return list(groups.values())


def _table(jobs: Sequence[Job]) -> pa.Table:
    columns = {
        name: [text for job in jobs for text in job.columns.get(name, [None] * job.rows)]
        for name in INPUTS
        if any(name in job.columns for job in jobs)
    }
    return pa.table({name: pa.array(texts, pa.string()) for name, texts in columns.items()})
