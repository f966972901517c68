"""What came of evaluating one trained model on its test split: scores, verdict, examples, where it all came from."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from luthier.evaluation.aspects import UNEXAMINED, Aspects
from luthier.evaluation.champion_comparison import ChampionComparison
from luthier.evaluation.diagnosis.handing_on import write_for_tuning
from luthier.evaluation.evaluated import TUNED
from luthier.evaluation.examples import Examples
from luthier.evaluation.gate import NOT_TUNABLE, Condition, Require
from luthier.evaluation.labels import ClassScores
from luthier.evaluation.markdown import report_markdown
from luthier.evaluation.next_step import next_step_sentence
from luthier.evaluation.page import curves_picture, render_page, scores_picture
from luthier.evaluation.paired import PairedDifference
from luthier.evaluation.plots import confusion_matrix
from luthier.evaluation.scores import Score
from luthier.evaluation.test_reads import NEVER_READ, TestReads
from luthier.packaging.cost import ServingCost
from luthier.tasks import TASKS
from luthier.tasks.calibration import UNCALIBRATED, Calibration
from luthier.training.history import History

# What grows with the rows or with pairs of labels, wherever it stands: rows of the data and what was answered to them.
LISTINGS: Final = frozenset({"examples", "suspects", "texts", "copies", "side_by_side", "confusion"})


@dataclass(frozen=True)
class EvaluationReport:
    """Everything that the report's page and its JSON say.

    ``baselines`` are scored by the deciding ``metric``, and ``gains`` say how much better than each the model is on the
    same rows. ``scored_rows`` says how many test rows each metric rests on, ``unscored`` why a metric, a baseline or a
    gain is not there. ``labels`` are the classes, or the kinds of entities;
    ``confusion`` has the true ones as rows, where a row has one label. ``created`` is ISO 8601. ``champion`` is there
    where another model was the registered champion. ``reads`` says who read these test rows before, and intervals are
    corrected for it. ``calibration`` is what the answers were made with, ``cost`` is there where the gate asks for it.
    """

    recipe: str
    task: str
    verdict: Literal["met", "short"]
    metric: str
    target: float
    confidence: float
    metrics: dict[str, Score]
    baselines: dict[str, Score]
    scored_rows: dict[str, int]
    unscored: dict[str, str]
    rows: dict[str, int]
    trainable_parameters: int
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    per_class: tuple[ClassScores, ...]
    examples: Examples
    digests: dict[str, str]
    created: str
    champion: ChampionComparison | None = None
    require: Require = "point"
    gate: tuple[Condition, ...] = ()
    reads: TestReads = NEVER_READ
    calibration: Calibration = UNCALIBRATED
    cost: ServingCost | None = None
    aspects: Aspects = UNEXAMINED
    gains: dict[str, PairedDifference] = field(default_factory=dict)

    @property
    def untunable(self) -> tuple[Condition, ...]:
        """The conditions that it falls short of, where other hyperparameters mend none of them."""
        failed = tuple(each for each in self.gate if each.decides and not each.passed)
        return failed if all(each.name in NOT_TUNABLE for each in failed) else ()

    @property
    def can_be_tuned(self) -> bool:
        """Whether it falls short of something that other hyperparameters may mend."""
        return self.verdict == "short" and not self.untunable

    @property
    def deciding(self) -> Score:
        """The score that the verdict rests on."""
        return self.metrics[self.metric]

    @property
    def corrected_confidence(self) -> float:
        """What each interval is made for, which the readings of the test split raise."""
        return self.reads.corrected(self.confidence)

    @property
    def beside_baselines(self) -> dict[str, Score]:
        """The deciding score of the model, and below it those of the baselines."""
        return {TUNED: self.deciding, **self.baselines}

    @property
    def selection_metric(self) -> str:
        """What picked the checkpoint."""
        return TASKS[self.task].selected_by(self.metric)


def report_json(
    report: EvaluationReport, *, mlflow_run_id: str | None, dagster_run_id: str | None, model_version: str | None
) -> dict[str, Any]:
    """The report in short, as the command line prints it."""
    return {
        "recipe": report.recipe,
        "task": report.task,
        "verdict": report.verdict,
        "metric": report.metric,
        "target": report.target,
        "metrics": {name: asdict(found) for name, found in report.metrics.items()},
        "baselines": {name: asdict(found) for name, found in report.baselines.items()},
        "gains": {name: asdict(found) for name, found in report.gains.items()},
        "champion": asdict(report.champion) if report.champion else None,
        "gate": [asdict(condition) for condition in report.gate],
        "reads": report.reads.number,
        "next": next_step_sentence(report),
        "findings": [asdict(finding) for finding in report.aspects.diagnosis.findings]
        if report.aspects.diagnosis
        else [],
        "rows": {name: report.rows[name] for name in ("train", "validation", "test", "rejected")},
        "scored_rows": report.scored_rows,
        "unscored": report.unscored,
        "per_class": [asdict(found) for found in report.per_class],
        "trainable_parameters": report.trainable_parameters,
        "mlflow_run_id": mlflow_run_id,
        "dagster_run_id": dagster_run_id,
        "model_version": model_version,
    }


def report_data(report: EvaluationReport, *, listings: bool = True) -> dict[str, Any]:
    """What report.json says; without ``listings`` no text of a row, and of many labels no matrix."""
    left_out = frozenset() if listings else LISTINGS
    return asdict(report, dict_factory=lambda pairs: {name: value for name, value in pairs if name not in left_out})


def write_report(report: EvaluationReport, history: History, folder: Path) -> None:
    """Writes report.json, report.html (one file that loads nothing), report.md, and pictures as PNG.

    They are curves.png, scores.png and, where a row has one label, confusion.png.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report_data(report), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "report.json").write_text(text, encoding="utf-8")
    diagnosis = report.aspects.diagnosis
    write_for_tuning(diagnosis.for_tuning if diagnosis else (), folder)
    (folder / "report.html").write_text(render_page(report, history), encoding="utf-8")
    (folder / "report.md").write_text(report_markdown(report), encoding="utf-8")
    pictures = {"curves": curves_picture(report, history, "png"), "scores": scores_picture(report, "png")}
    if report.confusion:
        pictures["confusion"] = confusion_matrix(report.confusion, report.labels, form="png")
    for name, png in pictures.items():
        (folder / f"{name}.png").write_bytes(png)


def read_report(folder: Path) -> EvaluationReport:
    """The report that ``write_report`` left in ``folder``."""
    return TypeAdapter(EvaluationReport).validate_json((folder / "report.json").read_bytes())
