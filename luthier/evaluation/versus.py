"""Two reports compared: paired on the rows that both answered, else their intervals side by side."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from luthier.errors import LuthierError
from luthier.evaluation.answers_file import can_be_read, read_answers
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.paired import PairedDifference, paired_difference, same_gold
from luthier.evaluation.readable import answer_text, expected_text, inputs
from luthier.evaluation.report import EvaluationReport
from luthier.evaluation.row_scores import ROUNDING, row_scores
from luthier.evaluation.test_rows import content_digest, in_order
from luthier.evaluation.wording import NOTHING, interval, metric_name, number, places, share, signed

MOST = 20

Pair = tuple[Evaluated, Evaluated]


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

    @property
    def said_gain(self) -> str:
        """``+0.021 (+0.004 to +0.038)``, or nothing where rows were not paired."""
        return "" if self.paired is None else signed(self.paired, places(self.metric, self.paired.value))


@dataclass(frozen=True)
class Versus:
    """``unpaired`` says why rows were not compared in pairs. ``gained`` are rows that the first answers better,
    ``lost`` those that the second does; ``counts`` how many of both there are.

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
            f"({found.confidence * 100:.4g} % interval {bounds}; p {found.p:.2g}{mcnemar})."
        )

    @property
    def changed(self) -> list[tuple[str, int, tuple[ChangedRow, ...]]]:
        """Gained and lost rows, each with its heading and how many there are."""
        gained, lost = self.counts
        return [(f"Better by {self.first}", gained, self.gained), (f"Better by {self.second}", lost, self.lost)]


def versus(first: Side, second: Side) -> Versus:
    """The first report held against the second.

    Raises:
        LuthierError: they are of different tasks, or have no metric in common.
    """
    one, other = first.report, second.report
    shared = [name for name in one.metrics if name in other.metrics]
    if one.task != other.task or not shared:
        tasks = f"{one.task} by {one.metric} and {other.task} by {other.metric}"
        raise LuthierError("reports of different tasks cannot be compared", where="versus", received=tasks)
    pair, reason = _pair(first, second)
    metric = one.metric if one.metric in shared else shared[0]
    gained, lost, counts = _changed(*pair) if pair else ((), (), (0, 0))
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


def _pair(first: Side, second: Side) -> tuple[Pair | None, str | None]:
    """What both answered, row by row; else why rows are not compared."""
    for side in (first, second):
        if not can_be_read(side.folder):
            older = f"The report of {side.name} is older than comparisons"
            return None, f"{older}: evaluate it again to compare row by row."
    if first.report.labels != second.report.labels:
        return None, "Their labels differ, so that rows are not compared in pairs."
    one, other = (in_order(read_answers(side.folder)) for side in (first, second))
    if content_digest(one.rows) != content_digest(other.rows):
        differ = "Their test rows differ, so that rows are not compared in pairs"
        return None, f"{differ}: intervals that overlap tell nothing apart."
    return (one, other), None


def _beside(name: str, one: EvaluationReport, other: EvaluationReport, pair: Pair | None) -> MetricBeside:
    scores = (report.metrics[name] for report in (one, other))
    first, second = ((number(name, score.value), interval(name, score)) for score in scores)
    alone = MetricBeside(name, first, second)
    if pair is None:
        return alone
    confidence = max(report.reads.corrected(report.confidence) for report in (one, other))
    try:
        compared = [answered.compared(name) for answered in pair]
        # Else other tokens were counted, or texts generated for other rows: the scores stand side by side.
        paired = paired_difference(name, *compared, confidence=confidence) if same_gold(*compared) else None
    except LuthierError:
        # Of rows that leave it undefined.
        return alone
    return replace(alone, paired=paired)


def _changed(
    one: Evaluated, other: Evaluated
) -> tuple[tuple[ChangedRow, ...], tuple[ChangedRow, ...], tuple[int, int]]:
    """Rows that the first answers better, and those that the second does, the greatest differences first."""
    answers = zip(one.predictions.answers, other.predictions.answers, strict=True)
    both = [row for row, pair in enumerate(answers) if None not in pair]
    if not both:
        return (), (), (0, 0)
    one, other = one.chosen(both), other.chosen(both)
    gains = row_scores(one)[1] - row_scores(other)[1]
    better, worse = (sorted((way * gains > ROUNDING).nonzero()[0], key=lambda row: -abs(gains[row])) for way in (1, -1))
    return _rows(one, other, better), _rows(one, other, worse), (len(better), len(worse))


def _rows(one: Evaluated, other: Evaluated, places: list[int]) -> tuple[ChangedRow, ...]:
    texts, labels = one.rows["text"], one.rows["label"]
    shown = [int(place) for place in places[:MOST]]
    return tuple(
        ChangedRow(
            text=read,
            expected=expected_text(labels[place].as_py(), texts[place].as_py(), one.head),
            first=answer_text(one.predictions.answers[place], texts[place].as_py(), one.head),
            second=answer_text(other.predictions.answers[place], texts[place].as_py(), one.head),
        )
        for place, read in zip(shown, inputs(one, shown), strict=True)
    )


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
        return NOTHING
    value = values[name]
    return value if isinstance(value, str) else json.dumps(value)


def _labels(one: EvaluationReport, other: EvaluationReport) -> tuple[tuple[str, str, str], ...]:
    first, second = ({row.label: row.f1 for row in report.per_class} for report in (one, other))
    names = dict.fromkeys([*first, *second])
    return tuple((name, share(first.get(name)), share(second.get(name))) for name in names)
