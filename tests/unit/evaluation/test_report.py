import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from luthier.errors import LuthierError
from luthier.evaluation.report import (
    ClassScores,
    Evaluated,
    EvaluationReport,
    read_report,
    report_json,
    write_report,
)

Rows = Callable[..., Evaluated]
Make = Callable[..., EvaluationReport]
History = list[dict[str, float]]


def test_the_verdict_rests_on_the_value_and_equality_meets(test_rows: Rows, make_report: Make) -> None:
    test = test_rows(("no", "yes"))
    value = make_report(test).deciding.value
    assert make_report(test, target=value).verdict == "met"
    assert make_report(test, target=np.nextafter(value, 1)).verdict == "short"


def test_the_deciding_metric_is_scored_even_when_not_listed(test_rows: Rows, make_report: Make) -> None:
    report = make_report(test_rows(("no", "yes")), metric="f1_micro", metrics=("accuracy",))
    assert list(report.metrics) == ["f1_micro", "accuracy"]
    assert list(report.baselines) == ["majority", "tf-idf"]


def test_the_table_equals_scikit_learns(test_rows: Rows, make_report: Make) -> None:
    test = test_rows(("a", "b", "c"))
    report = make_report(test)
    expected = zip(*precision_recall_fscore_support(test.labels, test.predictions), strict=True)
    found = [(row.precision, row.recall, row.f1, row.support) for row in report.per_class]
    assert found == [pytest.approx(line) for line in expected]
    assert np.sum(report.confusion) == len(test.labels)
    assert [sum(line) for line in report.confusion] == [row.support for row in report.per_class]


def test_a_label_that_no_row_has_and_no_prediction_names_has_no_shares(make_report: Make) -> None:
    probabilities = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    report = make_report(Evaluated(["x", "y"], np.array([0, 1]), probabilities, ("a", "b", "c")))
    assert report.per_class[2] == ClassScores("c", None, None, None, 0)


def test_mistakes_are_the_wrong_rows_surest_first(test_rows: Rows, make_report: Make) -> None:
    test = test_rows(("no", "yes"))
    mistakes = make_report(test).mistakes
    wrong = test.probabilities.max(axis=1)[test.predictions != test.labels]
    assert [mistake.probability for mistake in mistakes] == sorted(wrong, reverse=True)[:20]
    for mistake in mistakes:
        row = int(mistake.text.split()[-1])
        assert mistake.label == test.names[test.labels[row]] != mistake.predicted


def test_what_does_not_fit_together_is_refused() -> None:
    fine: dict[str, Any] = {"texts": ["x", "y"], "labels": np.array([0, 1]), "names": ("a", "b")}
    with pytest.raises(LuthierError, match="fit together"):
        Evaluated(**fine, probabilities=np.ones((3, 2)) / 2)
    with pytest.raises(LuthierError, match="fit together"):
        Evaluated(**fine, probabilities=np.ones((2, 2)) / 2, baselines={"majority": np.array([0])})
    with pytest.raises(LuthierError, match="not finite"):
        Evaluated(**fine, probabilities=np.array([[np.nan, 0.5], [0.5, 0.5]]))


def test_a_written_report_reads_back_equal_and_is_the_same_bytes_again(
    test_rows: Rows, make_report: Make, history: History, hostile: str, tmp_path: Path
) -> None:
    report = make_report(test_rows(("no", hostile), texts="ünïcode \u2028 text"))
    for name in ("one", "two"):
        write_report(report, history, tmp_path / name)
    assert read_report(tmp_path / "one") == report
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert first == second
    assert sorted(first) == ["confusion.png", "curves.png", "report.html", "report.json", "scores.png"]


def test_the_short_json_has_exactly_the_promised_keys(test_rows: Rows, make_report: Make) -> None:
    short = report_json(
        make_report(test_rows(("no", "yes"))), mlflow_run_id="m", dagster_run_id="d", model_version=None
    )
    promised = "recipe verdict metric target metrics baselines rows trainable_parameters"
    assert list(short) == [*promised.split(), "mlflow_run_id", "dagster_run_id", "model_version"]
    assert set(short["metrics"]["accuracy"]) == set(short["baselines"]["majority"]) == {"value", "low", "high"}
    assert set(short["rows"]) == {"train", "validation", "test", "rejected"}
    assert json.loads(json.dumps(short, allow_nan=False)) == short
