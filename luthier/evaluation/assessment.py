"""One evaluation: the tuned model and its baselines on the test rows, which nothing else reads."""

import json
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.evaluation.answers_file import write_answers
from luthier.evaluation.aspects import examined, tables
from luthier.evaluation.baselines import untuned_features
from luthier.evaluation.calibrating import fitted
from luthier.evaluation.champion import BesideChampion, Champion, compare_with_champion
from luthier.evaluation.changed_copies import copied_rows
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.evaluating import evaluate
from luthier.evaluation.examination import Examination
from luthier.evaluation.known import Known
from luthier.evaluation.report import EvaluationReport, write_report
from luthier.evaluation.sealed_test import read_test
from luthier.evaluation.test_reads import NEVER_READ, TestReads
from luthier.evaluation.wording import verdict_sentence
from luthier.methods import Method
from luthier.models.loading import load_tokenizer
from luthier.packaging.cost import ServingCost, serving_cost
from luthier.packaging.merging import load_reference
from luthier.packaging.serving import Serving
from luthier.recipe.schema import EvaluationSection
from luthier.tasks import Task
from luthier.tasks.calibration import Calibration
from luthier.tasks.head import Head
from luthier.tasks.task import BaselineInputs, Inference, Predictions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assessment:
    """What is evaluated, on what. ``model`` is the folder that training started from, ``tuned`` what it wrote.

    ``champion`` is held against it, if there is another one; ``reads`` says who read the test rows before.
    """

    recipe: str
    task: Task
    head: Head
    method: Method
    evaluation: EvaluationSection
    inference: Inference
    splits: Path
    model: Path
    tuned: Path
    digests: dict[str, str]
    champion: Champion | None = None
    reads: TestReads = NEVER_READ

    @property
    def facts(self) -> dict[str, Any]:
        """Of the splits."""
        return json.loads((self.splits / "facts.json").read_text())

    def rows(self, split: Literal["train", "validation"]) -> pa.Table:
        """Those of a split that is not sealed."""
        return pq.read_table(self.splits / f"{split}.parquet")


def assess(job: Assessment, folder: Path) -> EvaluationReport:
    """Scores the tuned model in float32, as it will be served, and writes the report and ``predictions.parquet``."""
    evaluation, facts = job.evaluation, job.facts
    given = examination(job)
    beside = beside_champion(job, given.test, facts["near_duplicates"]["threshold"])
    if beside is not None:
        given = replace(given, champion=beside.answers)
    report = evaluate(
        given.test,
        evaluation,
        recipe=job.recipe,
        rows=facts["rows"],
        trainable_parameters=json.loads((job.tuned / "facts.json").read_text())["trainable_parameters"],
        digests=job.digests,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        champion=beside.comparison if beside else None,
        reads=job.reads,
        calibration=given.calibration,
        cost=cost_of(job, given.calibration, folder.parent),
        aspects=examined(given),
    )
    write_report(report, given.known.history, folder)
    write_answers(given.test, folder)
    for name, table in tables(report.aspects).items():
        pq.write_table(table, folder / f"{name}.parquet")
    log.info("%s", verdict_sentence(report))
    return report


def examination(job: Assessment) -> Examination:
    """All answers: those of the tuned model, which is then freed, and those of the baselines, which load their own."""
    found = ask(job)
    log.info("predicting with the baselines")
    known = Known(
        validation=found.validation,
        train=job.rows("train"),
        history=json.loads((job.tuned / "history.json").read_text()),
        model=job.model,
        inference=job.inference,
        evaluation=job.evaluation,
        method=job.method,
        features=untuned_features(job.model, job.inference.max_length),
    )
    inputs = BaselineInputs(known.train, found.test.rows, job.head, job.model, job.inference, known.features)
    return Examination(
        known=known,
        test=replace(found.test, baselines=job.task.baselines(inputs)),
        calibration=found.calibration,
        uncalibrated=found.uncalibrated,
        changed=found.changed,
        reads=job.reads,
    )


@dataclass(frozen=True)
class Asked:
    """What the tuned model answered; the fields are those of ``Known`` and ``Examination``."""

    validation: Evaluated
    test: Evaluated
    calibration: Calibration
    uncalibrated: Predictions
    changed: Predictions | None


def ask(job: Assessment) -> Asked:
    """Asks the tuned model; the calibration is fitted before a test row is read."""
    task, head, kind = job.task, job.head, job.facts["label_kind"]
    model, tokenizer = load_reference(job.method, job.model, job.tuned, head), load_tokenizer(job.model)

    def answered(rows: pa.Table, what: str, how: Inference = job.inference) -> Predictions:
        log.info("predicting %d %s rows", len(rows), what)
        return task.predict(model, tokenizer, rows, head, how)

    validation = job.rows("validation")
    raw = Evaluated(task, head, kind, validation, answered(validation, "validation"))
    calibration = fitted(raw)
    test = read_test(job.splits)
    copies = copied_rows(test, head)
    # Asked together, a copy that the model reads as its original costs nothing. No text is generated for copies: that
    # would take as long as the evaluation itself.
    how = replace(job.inference, generated_rows=min(job.inference.generated_rows, len(test)))
    found = answered(test if copies is None else pa.concat_tables([test, copies]), "test and changed", how)
    changed = None if copies is None else found.of(range(len(test), len(test) + len(copies)))
    found = found.of(range(len(test)))
    return Asked(
        validation=replace(raw, predictions=calibration.applied(raw.predictions, head)),
        test=Evaluated(task, head, kind, test, calibration.applied(found, head)),
        calibration=calibration,
        uncalibrated=found,
        changed=None if changed is None else calibration.applied(changed, head),
    )


def cost_of(job: Assessment, calibration: Calibration, scratch: Path) -> ServingCost | None:
    """What serving costs, where the gate asks for it."""
    if job.evaluation.gate.latency_ms is None and job.evaluation.gate.size_mb is None:
        return None
    serving = Serving(
        task=job.task.name,
        head=job.head,
        max_length=job.inference.max_length,
        max_new_tokens=job.inference.max_new_tokens,
        method=None if job.method.merges else job.method,
        calibration=calibration,
    )
    log.info("timing the model as it is served")
    return serving_cost(job.method, job.model, job.tuned, job.head, serving, job.rows("validation"), scratch)


def beside_champion(job: Assessment, test: Evaluated, threshold: float) -> BesideChampion | None:
    """The comparison on the test rows, if there is a champion to compare with."""
    if job.champion is None:
        return None
    certain = job.evaluation.model_copy(update={"confidence": job.reads.corrected(job.evaluation.confidence)})
    return compare_with_champion(job.champion, test, how=job.inference, evaluation=certain, threshold=threshold)
