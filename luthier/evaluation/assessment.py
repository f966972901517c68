"""One evaluation: the tuned model and its baselines on the test rows, which nothing else reads."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.evaluation.champion import Champion, compare_with_champion
from luthier.evaluation.champion_comparison import ChampionComparison
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.report import EvaluationReport, evaluate, write_report
from luthier.evaluation.wording import verdict_sentence
from luthier.methods import Method
from luthier.models.loading import load_tokenizer
from luthier.packaging.merging import load_reference
from luthier.recipe.schema import EvaluationSection
from luthier.tasks import Task
from luthier.tasks.head import Head
from luthier.tasks.task import BaselineInputs, Inference

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assessment:
    """What is evaluated, on what. ``model`` is the folder that training started from, ``tuned`` what it wrote.

    ``champion`` is held against it, if there is another one.
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


def assess(job: Assessment, folder: Path) -> EvaluationReport:
    """Scores the tuned model in float32, as it will be served, and writes the report and ``predictions.parquet``."""
    facts = json.loads((job.splits / "facts.json").read_text())
    training = json.loads((job.tuned / "facts.json").read_text())
    test = predict(job, facts["label_kind"])
    report = evaluate(
        test,
        recipe=job.recipe,
        metric=job.evaluation.metric,
        target=job.evaluation.target,
        confidence=job.evaluation.confidence,
        rows=facts["rows"],
        trainable_parameters=training["trainable_parameters"],
        digests=job.digests,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        champion=beside_champion(job, test, facts["near_duplicates"]["threshold"]),
    )
    write_report(report, json.loads((job.tuned / "history.json").read_text()), folder)
    pq.write_table(answers_table(test), folder / "predictions.parquet")
    log.info("%s", verdict_sentence(report))
    return report


def beside_champion(job: Assessment, test: Evaluated, threshold: float) -> ChampionComparison | None:
    """The comparison on the test rows, if there is a champion to compare with."""
    if job.champion is None:
        return None
    return compare_with_champion(job.champion, test, how=job.inference, evaluation=job.evaluation, threshold=threshold)


def predict(job: Assessment, label_kind: str) -> Evaluated:
    """The tuned model's and the baselines' answers to the test rows."""
    train, test = (pq.read_table(job.splits / f"{split}.parquet") for split in ("train", "test"))
    log.info("predicting %d test rows", len(test))
    model = load_reference(job.method, job.model, job.tuned, job.head)
    found = job.task.predict(model, load_tokenizer(job.model), test, job.head, job.inference)
    del model
    log.info("predicting with the baselines")
    baselines = job.task.baselines(BaselineInputs(train, test, job.head, job.model, job.inference))
    return Evaluated(job.task, job.head, label_kind, test, found, baselines)


def answers_table(test: Evaluated) -> pa.Table:
    """What was answered to each row, labels and answers as JSON; of a single label its id and probabilities too."""
    found = test.predictions
    columns = {
        "row": test.rows["row"],
        "label": _json(test.rows["label"].to_pylist()),
        "answer": _json(found.answers),
        "evidence": pa.array([numbers.ravel() for numbers in found.evidence], pa.list_(pa.float32())),
        **{name: _json(baseline.answers) for name, baseline in test.baselines.items()},
    }
    if test.head.problem == "single_label_classification":
        columns["label_id"] = test.rows["label_id"]
        columns["prediction"] = pa.array(test.outputs.argmax(axis=1))
        columns["probabilities"] = columns["evidence"]
    return pa.table(columns)


def _json(values: Sequence[Any]) -> pa.Array:
    return pa.array([json.dumps(value, ensure_ascii=False) for value in values], pa.string())
