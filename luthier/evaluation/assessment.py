"""One evaluation: the tuned model and its baselines on the test rows, which nothing else reads."""

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from luthier.evaluation.baselines import linear_probe, majority, tfidf
from luthier.evaluation.report import Evaluated, EvaluationReport, evaluate, write_report
from luthier.evaluation.wording import verdict_sentence
from luthier.methods import Method
from luthier.models.features import mean_pooled
from luthier.models.loading import load_tokenizer
from luthier.packaging.merging import load_reference
from luthier.recipe.schema import EvaluationSection
from luthier.tasks.text_classification import TextClassification
from luthier.training.compute import fast_bfloat16

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assessment:
    """What is evaluated, on what. ``model`` is the folder that training started from, ``tuned`` what it wrote."""

    recipe: str
    task: TextClassification
    method: Method
    evaluation: EvaluationSection
    max_length: int
    splits: Path
    model: Path
    tuned: Path
    digests: dict[str, str]


def assess(job: Assessment, folder: Path) -> EvaluationReport:
    """Scores the tuned model in float32, as it will be served, and writes the report and ``predictions.parquet``."""
    facts = json.loads((job.splits / "facts.json").read_text())
    training = json.loads((job.tuned / "facts.json").read_text())
    test = pq.read_table(job.splits / "test.parquet")
    found = predict(job, test)
    report = evaluate(
        found,
        recipe=job.recipe,
        metrics=job.task.metrics,
        metric=job.evaluation.metric,
        target=job.evaluation.target,
        confidence=job.evaluation.confidence,
        rows=facts["rows"],
        trainable_parameters=training["trainable_parameters"],
        digests=job.digests,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_report(report, json.loads((job.tuned / "history.json").read_text()), folder)
    answers = pa.table(
        {
            "row": test["row"],
            "label_id": test["label_id"],
            "prediction": found.predictions,
            "probabilities": found.probabilities.tolist(),
            **found.baselines,
        }
    )
    pq.write_table(answers, folder / "predictions.parquet")
    log.info("%s", verdict_sentence(report))
    return report


def predict(job: Assessment, test: pa.Table) -> Evaluated:
    """The tuned model's and the baselines' answers on the test rows."""
    labels = json.loads((job.splits / "facts.json").read_text())["labels"]
    train = pq.read_table(job.splits / "train.parquet")
    texts, train_texts = test["text"].to_pylist(), train["text"].to_pylist()
    train_labels = train["label_id"].to_numpy()
    log.info("predicting %d test rows", len(texts))
    model = load_reference(job.method, job.model, job.tuned, labels)
    tokenizer = load_tokenizer(job.model)
    probabilities = job.task.probabilities(model, tokenizer, texts, max_length=job.max_length)
    del model
    log.info("scoring the baselines")
    dtype = torch.bfloat16 if fast_bfloat16("cpu") else torch.float32
    features = mean_pooled(job.model, [*train_texts, *texts], dtype=dtype, max_length=job.max_length)
    baselines = {
        "majority": majority(train_labels, len(texts)),
        "tf-idf": tfidf(train_texts, train_labels, texts),
        "untuned base": linear_probe(features[: len(train_texts)], train_labels, features[len(train_texts) :]),
    }
    return Evaluated(texts, test["label_id"].to_numpy(), probabilities, labels, baselines)
