"""The evaluation report: the verdict and all that supports it, as JSON and as one self-contained page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from luthier.evaluation.page import render_page
from luthier.evaluation.plots import curves, scores
from luthier.evaluation.scores import Score, score

MISTAKES_SHOWN = 20


@dataclass(frozen=True)
class ClassScores:
    """How one label fared; ``support`` is its number of test rows."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Mistake:
    """A test row that was predicted wrong, with the probability the model gave to its wrong answer."""

    text: str
    label: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class EvaluationReport:
    """Test scores beside the baselines. ``confusion`` counts rows by (label, prediction)."""

    recipe: str
    verdict: Literal["met", "short"]
    metric: str
    target: float
    confidence: float
    metrics: dict[str, Score]
    baselines: dict[str, Score]
    rows: dict[str, int]
    parameters: int
    trainable_parameters: int
    labels: list[str]
    confusion: list[list[int]]
    classes: list[ClassScores]
    mistakes: list[Mistake]
    digests: dict[str, str]

    @property
    def deciding(self) -> Score:
        """The score that the verdict rests on."""
        return self.metrics[self.metric]

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        found = self.deciding
        word = "Met" if self.verdict == "met" else "Short"
        interval = f"{self.confidence:.0%} interval {found.low:.3f} to {found.high:.3f}"
        reach = " The interval reaches below the target." if found.low < self.target <= found.value else ""
        return f"{word}: test {self.metric} {found.value:.3f} ({interval}) against a target of {self.target:g}.{reach}"

    def summary(self) -> dict[str, Any]:
        """What ``luthier report --json`` says of the report itself."""
        rows = {name: self.rows[name] for name in ("train", "validation", "test", "rejected")}
        return {
            "recipe": self.recipe,
            "verdict": self.verdict,
            "metric": self.metric,
            "target": self.target,
            "metrics": {name: asdict(found) for name, found in self.metrics.items()},
            "baselines": {name: asdict(found) for name, found in self.baselines.items()},
            "rows": rows,
            "trainable_parameters": self.trainable_parameters,
        }


@dataclass(frozen=True)
class Predictions:
    """The test rows and what was answered: class ids (rows,), probabilities (rows x classes), baselines' class ids."""

    texts: Sequence[str]
    labels: np.ndarray
    probabilities: np.ndarray
    baselines: Mapping[str, np.ndarray]


def assess(
    found: Predictions,
    *,
    recipe: str,
    label_names: list[str],
    metrics: Sequence[str],
    metric: str,
    target: float,
    confidence: float,
    rows: dict[str, int],
    parameters: int,
    trainable_parameters: int,
    digests: dict[str, str],
) -> EvaluationReport:
    """Scores predictions and baselines on the same rows, and gives the verdict: the point value reaches the target."""
    predicted = found.probabilities.argmax(axis=1)
    scored = {name: score(name, found.labels, predicted, confidence=confidence) for name in metrics}
    ids = list(range(len(label_names)))
    table = precision_recall_fscore_support(found.labels, predicted, labels=ids, zero_division=0.0)
    return EvaluationReport(
        recipe=recipe,
        verdict="met" if scored[metric].value >= target else "short",
        metric=metric,
        target=target,
        confidence=confidence,
        metrics=scored,
        baselines={
            name: score(metric, found.labels, answers, confidence=confidence)
            for name, answers in found.baselines.items()
        },
        rows=rows,
        parameters=parameters,
        trainable_parameters=trainable_parameters,
        labels=label_names,
        confusion=confusion_matrix(found.labels, predicted, labels=ids).tolist(),
        classes=[
            ClassScores(name, float(precision), float(recall), float(f1), int(support))
            for name, precision, recall, f1, support in zip(label_names, *table, strict=True)
        ],
        mistakes=_mistakes(found, predicted, label_names),
        digests=digests,
    )


def write_report(report: EvaluationReport, history: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Writes ``report.json``, ``report.html``, ``scores.png`` and ``curves.png``."""
    (folder / "report.json").write_text(json.dumps(asdict(report), indent=2, ensure_ascii=False))
    (folder / "report.html").write_text(render_page(report, history), encoding="utf-8")
    compared = {"fine-tuned": report.deciding, **report.baselines}
    values = {name: (found.value, found.low, found.high) for name, found in compared.items()}
    (folder / "scores.png").write_bytes(scores(values, f"test {report.metric}", report.target))
    (folder / "curves.png").write_bytes(curves(history, report.metric))


def read_report(folder: Path) -> EvaluationReport:
    """The report that ``write_report`` wrote."""
    values = json.loads((folder / "report.json").read_text())
    for name in ("metrics", "baselines"):
        values[name] = {key: Score(**found) for key, found in values[name].items()}
    values["classes"] = [ClassScores(**found) for found in values["classes"]]
    values["mistakes"] = [Mistake(**found) for found in values["mistakes"]]
    return EvaluationReport(**values)


def _mistakes(found: Predictions, predicted: np.ndarray, names: list[str]) -> list[Mistake]:
    confidence = found.probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != found.labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES_SHOWN]
    return [
        Mistake(found.texts[row], names[found.labels[row]], names[predicted[row]], float(confidence[row]))
        for row in worst
    ]
