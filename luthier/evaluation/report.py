"""The evaluation of one trained classifier on its test split: scores, verdict, mistakes, and where it all came from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from luthier.errors import LuthierError
from luthier.evaluation.page import render_page
from luthier.evaluation.plots import History, confusion_matrix, loss_and_metric_curves, scores_with_intervals
from luthier.evaluation.scores import Score, confusion, score

MOST_MISTAKES = 20


@dataclass(frozen=True)
class ClassScores:
    """One label's row of the table; None where a share has no rows to be a share of."""

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True)
class Mistake:
    """A wrongly predicted test row, and the probability that the model gave its prediction."""

    text: str
    label: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class EvaluationReport:
    """Everything that the report's page and its JSON say.

    ``baselines`` are scored by the deciding ``metric``; ``confusion`` has the true labels as rows; ``created`` is
    ISO 8601.
    """

    recipe: str
    verdict: Literal["met", "short"]
    metric: str
    target: float
    confidence: float
    metrics: dict[str, Score]
    baselines: dict[str, Score]
    rows: dict[str, int]
    trainable_parameters: int
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    per_class: tuple[ClassScores, ...]
    mistakes: tuple[Mistake, ...]
    digests: dict[str, str]
    created: str

    @property
    def deciding(self) -> Score:
        """The score that the verdict rests on."""
        return self.metrics[self.metric]

    @property
    def beside_baselines(self) -> dict[str, Score]:
        """The deciding score of the model, and below it those of the baselines."""
        return {"fine-tuned": self.deciding, **self.baselines}


@dataclass(frozen=True)
class Evaluated:
    """Test rows and what was predicted for them: ``labels`` are ids, ``probabilities`` rows x classes.

    ``baselines`` maps a baseline's name to its predicted ids.
    """

    texts: Sequence[str]
    labels: np.ndarray
    probabilities: np.ndarray
    names: Sequence[str]
    baselines: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows, shape = len(self.labels), self.probabilities.shape
        lengths = {len(self.texts), rows, *(len(ids) for ids in self.baselines.values())}
        if len(lengths) > 1 or shape != (rows, len(self.names)):
            raise LuthierError("rows, labels and predictions do not fit together", received=(sorted(lengths), shape))
        if not np.isfinite(self.probabilities).all():
            raise LuthierError("a probability is not finite", where="evaluation")

    @property
    def predictions(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1)


def evaluate(
    test: Evaluated,
    *,
    recipe: str,
    metric: str,
    target: float,
    metrics: Sequence[str],
    rows: Mapping[str, int],
    trainable_parameters: int,
    digests: Mapping[str, str],
    created: str,
    confidence: float = 0.95,
    seed: int = 17,
) -> EvaluationReport:
    """Scores the test rows; the verdict is ``met`` when the value of ``metric`` reaches ``target``.

    Raises:
        LuthierError: a metric that is unknown, or that these rows leave undefined.
    """

    def scored(name: str, predictions: np.ndarray) -> Score:
        return score(name, test.labels, predictions, confidence=confidence, seed=seed)

    found = {name: scored(name, test.predictions) for name in dict.fromkeys([metric, *metrics])}
    table = confusion(np.asarray(test.labels), test.predictions, len(test.names))
    return EvaluationReport(
        recipe=recipe,
        verdict="met" if found[metric].value >= target else "short",
        metric=metric,
        target=target,
        confidence=confidence,
        metrics=found,
        baselines={name: scored(metric, predictions) for name, predictions in test.baselines.items()},
        rows=dict(rows),
        trainable_parameters=trainable_parameters,
        labels=tuple(test.names),
        confusion=tuple(tuple(int(count) for count in line) for line in table),
        per_class=_per_class(table, test.names),
        mistakes=_mistakes(test),
        digests=dict(digests),
        created=created,
    )


def _per_class(table: np.ndarray, names: Sequence[str]) -> tuple[ClassScores, ...]:
    right, support, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    return tuple(
        ClassScores(
            label=name,
            precision=_share(right[row], predicted[row]),
            recall=_share(right[row], support[row]),
            f1=_share(2 * right[row], support[row] + predicted[row]),
            support=int(support[row]),
        )
        for row, name in enumerate(names)
    )


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _mistakes(test: Evaluated) -> tuple[Mistake, ...]:
    wrong = np.flatnonzero(test.predictions != test.labels)
    confidences = test.probabilities.max(axis=1)[wrong]
    worst = wrong[np.argsort(-confidences, kind="stable")][:MOST_MISTAKES]
    return tuple(
        Mistake(
            text=test.texts[row],
            label=test.names[test.labels[row]],
            predicted=test.names[test.predictions[row]],
            probability=float(test.probabilities[row].max()),
        )
        for row in worst
    )


def report_json(
    report: EvaluationReport, *, mlflow_run_id: str | None, dagster_run_id: str | None, model_version: str | None
) -> dict[str, Any]:
    """The report in short, as the command line prints it."""
    return {
        "recipe": report.recipe,
        "verdict": report.verdict,
        "metric": report.metric,
        "target": report.target,
        "metrics": {name: asdict(found) for name, found in report.metrics.items()},
        "baselines": {name: asdict(found) for name, found in report.baselines.items()},
        "rows": {name: report.rows[name] for name in ("train", "validation", "test", "rejected")},
        "trainable_parameters": report.trainable_parameters,
        "mlflow_run_id": mlflow_run_id,
        "dagster_run_id": dagster_run_id,
        "model_version": model_version,
    }


def write_report(report: EvaluationReport, history: History, folder: Path) -> None:
    """Writes report.json, report.html (one file that loads nothing), curves.png, scores.png and confusion.png."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(report), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "report.json").write_text(text, encoding="utf-8")
    (folder / "report.html").write_text(render_page(report, history), encoding="utf-8")
    metric, target = report.metric, report.target
    pictures = {
        "curves": loss_and_metric_curves(history, metric=metric, target=target, form="png"),
        "scores": scores_with_intervals(report.beside_baselines, metric=metric, target=target, form="png"),
        "confusion": confusion_matrix(report.confusion, report.labels, form="png"),
    }
    for name, png in pictures.items():
        (folder / f"{name}.png").write_bytes(png)


def read_report(folder: Path) -> EvaluationReport:
    """The report that ``write_report`` left in ``folder``."""
    full = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return EvaluationReport(
        **{
            **full,
            "metrics": {name: Score(**values) for name, values in full["metrics"].items()},
            "baselines": {name: Score(**values) for name, values in full["baselines"].items()},
            "labels": tuple(full["labels"]),
            "confusion": tuple(tuple(line) for line in full["confusion"]),
            "per_class": tuple(ClassScores(**values) for values in full["per_class"]),
            "mistakes": tuple(Mistake(**values) for values in full["mistakes"]),
        }
    )
