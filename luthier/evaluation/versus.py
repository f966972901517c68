"""Two reports compared: paired on the rows that both answered, else their intervals side by side."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.errors import LuthierError
from luthier.evaluation.paired import PairedDifference, paired_difference
from luthier.evaluation.report import EvaluationReport
from luthier.evaluation.scores import per_row
from luthier.evaluation.wording import metric_name, number
from luthier.tasks import TASKS
from luthier.tasks.head import Head, Problem
from luthier.tasks.metric import METRICS
from luthier.tasks.task import Predictions

MOST = 20
ABSENT = "–"


@dataclass(frozen=True)
class Side:
    """One report: what it is called, where its files lie, and the values that made its model, by dotted field."""

    name: str
    report: EvaluationReport
    folder: Path
    values: Mapping[str, Any]


@dataclass(frozen=True)
class ChangedRow:
    """A row that one of the two answers right, or better."""

    text: str
    expected: str
    first: str
    second: str


@dataclass(frozen=True)
class MetricBeside:
    """A metric of both as texts, with intervals; ``paired`` where both answered the same rows and it can be."""

    metric: str
    first: tuple[str, str]
    second: tuple[str, str]
    paired: PairedDifference | None = None


@dataclass(frozen=True)
class Versus:
    """``unpaired`` says why rows were not compared in pairs. ``gained`` are rows that the first has right and the
    second has not, ``lost`` the others; ``counts`` how many of both there are.

    ``settings`` and ``data`` are (what, first, second); ``labels`` are F1 by label.
    """

    first: str
    second: str
    metric: str
    metrics: tuple[MetricBeside, ...]
    unpaired: str | None
    settings: tuple[tuple[str, str, str], ...]
    data: tuple[tuple[str, str, str], ...]
    labels: tuple[tuple[str, str, str], ...]
    gained: tuple[ChangedRow, ...]
    lost: tuple[ChangedRow, ...]
    counts: tuple[int, int]

    @property
    def sentence(self) -> str:
        """What it comes to."""
        (deciding,) = [each for each in self.metrics if each.metric == self.metric]
        scores = f"{metric_name(self.metric)} {deciding.first[0]} against {deciding.second[0]}"
        found = deciding.paired
        if found is None:
            return f"{self.first} has {scores}. {self.unpaired or 'It was not compared in pairs.'}"
        stands = "better than" if found.is_better else "worse than" if found.is_worse else "not surely other than"
        bounds = f"{number(self.metric, found.low)} to {number(self.metric, found.high)}"
        mcnemar = "" if found.mcnemar_p is None else f", McNemar's p {found.mcnemar_p:.2g}"
        return (
            f"{self.first} is {stands} {self.second}: {scores}, a gain of {number(self.metric, found.value)} "
            f"({found.confidence * 100:g} % interval {bounds}; p {found.p:.2g}{mcnemar})."
        )


def versus(first: Side, second: Side) -> Versus:
    """The first report held against the second.

    Raises:
        LuthierError: they are of different tasks.
    """
    one, other = first.report, second.report
    if one.task != other.task:
        raise LuthierError(
            "reports of different tasks cannot be compared", where="versus", received=f"{one.task} and {other.task}"
        )
    reason = _obstacle(first, second)
    pair = None if reason else (_Answers(first), _Answers(second))
    shared = [name for name in one.metrics if name in other.metrics]
    metric = one.metric if one.metric in shared else next(iter(shared))
    gained, lost, counts = _changed(pair, metric) if pair else ((), (), (0, 0))
    return Versus(
        first=first.name,
        second=second.name,
        metric=metric,
        metrics=tuple(_beside(name, one, other, pair) for name in shared),
        unpaired=reason,
        settings=_different(first.values, second.values),
        data=_different(_data(one), _data(other)),
        labels=_labels(one, other),
        gained=gained,
        lost=lost,
        counts=counts,
    )


class _Answers:
    """What a report's model answered to its test rows, as its task compares it."""

    def __init__(self, side: Side) -> None:
        report, table = side.report, pq.read_table(side.folder / "predictions.parquet")
        self.task, self.head = TASKS[report.task], _head(report)
        labels = [json.loads(text) for text in table["label"].to_pylist()]
        self.texts, self.labels = table["text"].to_pylist(), labels
        self.predictions = Predictions(
            [json.loads(text) for text in table["answer"].to_pylist()],
            [row.values.to_numpy(zero_copy_only=False) for row in table["evidence"]],
        )
        columns: dict[str, Any] = {name: table[name] for name in ("row", "text", "pair")}
        if self.head.kind == "sequence-classification" and self.head.labels:
            known = {label: place for place, label in enumerate(self.head.labels)}
            single = self.head.problem == "single_label_classification"
            columns["label_id"] = [known[each] if single else [known[name] for name in each] for each in labels]
        # Spans are lists of structs, which Arrow infers as it did when they were written.
        self.rows = pa.table({**columns, "label": labels})

    def compared(self, metric: str) -> tuple[Any, Any]:
        return self.task.compared(metric, self.rows, self.predictions, self.head)


def _head(report: EvaluationReport) -> Head:
    """As much of the head as a comparison needs."""
    if report.task != "text-classification":
        kinds = {"token-classification": "token-classification", "question-answering": "question-answering"}
        return Head(kinds.get(report.task, "causal-lm"))  # type: ignore[arg-type]
    problem: Problem = "regression"
    if report.labels:
        problem = "single_label_classification" if report.confusion else "multi_label_classification"
    return Head("sequence-classification", report.labels, problem)


def _obstacle(first: Side, second: Side) -> str | None:
    digests = [side.report.digests.get("cleaned_splits") for side in (first, second)]
    if digests[0] is None or digests[0] != digests[1]:
        return (
            "Their test rows differ, so that rows are not compared in pairs: intervals that overlap tell nothing apart."
        )
    for side in (first, second):
        path = side.folder / "predictions.parquet"
        if not path.is_file() or "text" not in pq.read_schema(path).names:
            return f"The report of {side.name} is older than comparisons: evaluate it again to compare row by row."
    if first.report.labels != second.report.labels:
        return "Their labels differ, so that rows are not compared in pairs."
    return None


def _beside(
    name: str, one: EvaluationReport, other: EvaluationReport, pair: tuple[_Answers, _Answers] | None
) -> MetricBeside:
    first, second = (
        (number(name, report.metrics[name].value), _bounds(name, report.metrics[name])) for report in (one, other)
    )
    alone = MetricBeside(name, first, second)
    if pair is None:
        return alone
    confidence = min(one.confidence, other.confidence)
    try:
        paired = paired_difference(name, pair[0].compared(name), pair[1].compared(name), confidence=confidence)
    except LuthierError:
        # Of rows that leave it undefined, or of other tokens: the scores stand side by side.
        return alone
    return replace(alone, paired=paired)


def _bounds(name: str, found: Any) -> str:
    return f"{number(name, found.low)} to {number(name, found.high)}"


def _changed(
    pair: tuple[_Answers, _Answers], metric: str
) -> tuple[tuple[ChangedRow, ...], tuple[ChangedRow, ...], tuple[int, int]]:
    """Rows that became better and worse by the first metric that judges rows one by one."""
    judged = next(
        (name for name in (metric, *BY_ROW.get(pair[0].task.name, ())) if _each(pair[0], name) is not None), None
    )
    if judged is None:
        return (), (), (0, 0)
    first, second = _each(pair[0], judged), _each(pair[1], judged)
    if first is None or second is None or len(first) != len(second) or len(first) != len(pair[0].texts):
        return (), (), (0, 0)
    sign = 1 if METRICS[judged].higher_is_better else -1
    gains = sign * (first - second)
    better, worse = (sorted((gains * way > 0).nonzero()[0], key=lambda row: -abs(gains[row])) for way in (1, -1))
    return _rows(pair, better), _rows(pair, worse), (len(better), len(worse))


BY_ROW = {
    "text-classification": ("accuracy",),
    "question-answering": ("squad_f1",),
}


def _each(answers: _Answers, metric: str) -> Any:
    try:
        return per_row(metric, *answers.compared(metric))
    except LuthierError:
        # A metric of other labels, or one that these rows leave undefined, judges no row.
        return None


def _rows(pair: tuple[_Answers, _Answers], places: list[int]) -> tuple[ChangedRow, ...]:
    one, other = pair
    return tuple(
        ChangedRow(
            text=one.texts[place],
            expected=_said(one.labels[place]),
            first=_said(one.predictions.answers[place]),
            second=_said(other.predictions.answers[place]),
        )
        for place in places[:MOST]
    )


def _said(value: Any) -> str:
    if isinstance(value, str):
        return value
    return ", ".join(value) if isinstance(value, list) and all(isinstance(v, str) for v in value) else json.dumps(value)


def _data(report: EvaluationReport) -> dict[str, Any]:
    rows = {f"{name} rows": count for name, count in report.rows.items()}
    made = {name: digest[:12] for name, digest in report.digests.items() if name in ("cleaned_splits", "base_model")}
    return {**rows, **made, "target": report.target, "trained parameters": report.trainable_parameters}


def _different(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    names = dict.fromkeys([*one, *other])
    pairs = ((name, _shown(one, name), _shown(other, name)) for name in names)
    return tuple(pair for pair in pairs if pair[1] != pair[2])


def _shown(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return ABSENT
    value = values[name]
    return value if isinstance(value, str) else json.dumps(value)


def _labels(one: EvaluationReport, other: EvaluationReport) -> tuple[tuple[str, str, str], ...]:
    first, second = ({row.label: row.f1 for row in report.per_class} for report in (one, other))
    names = dict.fromkeys([*first, *second])
    return tuple((name, _share(first.get(name)), _share(second.get(name))) for name in names)


def _share(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.3f}"
