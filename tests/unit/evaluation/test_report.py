import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import precision_recall_fscore_support

from luthier.errors import LuthierError
from luthier.evaluation.answers_file import answers_table, can_be_read, read_answers, write_answers
from luthier.evaluation.evaluated import Evaluated
from luthier.evaluation.labels import ClassScores
from luthier.evaluation.report import EvaluationReport, read_report, report_json, write_report
from luthier.evaluation.scores import defined_points
from luthier.tasks.task import Predictions
from tests.unit.evaluation.answered import SAMPLES

Rows = Callable[..., Evaluated]
Make = Callable[..., EvaluationReport]
History = list[dict[str, float]]


def test_the_verdict_rests_on_the_value_and_equality_meets(test_rows: Rows, make_report: Make) -> None:
    test = test_rows(("no", "yes"))
    value = make_report(test).deciding.value
    assert make_report(test, target=value).verdict == "met"
    assert make_report(test, target=np.nextafter(value, 1)).verdict == "short"


def test_of_a_metric_that_should_be_low_the_verdict_is_met_from_below(make_report: Make) -> None:
    test = SAMPLES["generations"]()
    value = make_report(test, metric="perplexity").deciding.value
    assert make_report(test, metric="perplexity", target=value).verdict == "met"
    assert make_report(test, metric="perplexity", target=np.nextafter(value, 0)).verdict == "short"


def test_the_deciding_metric_comes_first_and_the_baselines_are_scored_by_it(test_rows: Rows, make_report: Make) -> None:
    report = make_report(test_rows(("no", "yes")), metric="f1_macro")
    assert list(report.metrics) == ["f1_macro", "accuracy", "f1_micro", "mcc", "roc_auc"]
    assert list(report.baselines) == ["majority", "tf-idf"]
    assert report.baselines["majority"].value < 0.4


def test_a_metric_that_the_rows_leave_undefined_is_left_out_and_named(
    make_rows: Rows, make_report: Make, caplog: pytest.LogCaptureFixture
) -> None:
    labels = np.arange(40) % 2
    test = make_rows(("a", "b", "absent"), labels, np.eye(3)[labels])
    report = make_report(test)
    assert "roc_auc" not in report.metrics
    assert set(report.scored_rows) == set(report.metrics)
    assert "rows of every class" in report.unscored["ROC AUC"]
    assert "ROC AUC is not scored" in caplog.text
    with pytest.raises(LuthierError, match="rows of every class"):
        make_report(test, metric="roc_auc")


def test_the_table_equals_scikit_learns(test_rows: Rows, make_report: Make) -> None:
    test = test_rows(("a", "b", "c"))
    report = make_report(test)
    labels = test.rows["label_id"].to_numpy()
    expected = zip(*precision_recall_fscore_support(labels, test.outputs.argmax(axis=1)), strict=True)
    found = [(row.precision, row.recall, row.f1, row.support) for row in report.per_class]
    assert found == [pytest.approx(line) for line in expected]
    assert np.sum(report.confusion) == len(labels)
    assert [sum(line) for line in report.confusion] == [row.support for row in report.per_class]


def test_of_several_labels_a_row_each_has_its_scores_and_there_is_no_matrix(make_report: Make) -> None:
    report = make_report(SAMPLES["multi-label"](), metric="f1_micro")
    assert report.confusion == ()
    warm, old, rare = report.per_class
    assert (warm.recall, warm.precision, warm.support) == (1.0, pytest.approx(2 / 3), 20)
    assert (old.recall, old.precision) == (0.5, 1.0)
    assert rare == ClassScores("rare", None, None, None, 0)


def test_a_label_that_no_row_has_and_no_prediction_names_has_no_shares(make_rows: Rows, make_report: Make) -> None:
    probabilities = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    report = make_report(make_rows(("a", "b", "c"), np.array([0, 1]), probabilities))
    assert report.per_class[2] == ClassScores("c", None, None, None, 0)


def test_generated_metrics_rest_on_the_rows_that_text_was_generated_for(make_report: Make) -> None:
    report = make_report(SAMPLES["generations"](), metric="rouge_l")
    generated = ("rouge_l", "rouge_1", "rouge_2", "chrf", "exact_match")
    assert report.scored_rows == {"perplexity": 30, **dict.fromkeys(generated, 8)}
    assert report.selection_metric == "perplexity"


def test_a_baseline_is_judged_by_the_rows_that_the_model_answers() -> None:
    test = SAMPLES["generations"]()
    gold, extracts = test.compared("rouge_l", "lead")
    assert (gold, len(extracts)) == (test.compared("rouge_l")[0], 8)


def test_a_baseline_without_what_the_metric_needs_is_left_out_and_named(make_report: Make) -> None:
    report = make_report(SAMPLES["generations"](), metric="perplexity")
    assert list(report.baselines) == ["untuned base"]
    assert "no tokens" in report.unscored["lead"]


def test_what_does_not_fit_together_is_refused(test_rows: Rows) -> None:
    test = test_rows(("a", "b"), rows=2)
    found = test.predictions
    with pytest.raises(LuthierError, match="fit together"):
        replace(test, predictions=Predictions(found.answers[:1], found.evidence))
    with pytest.raises(LuthierError, match="fit together"):
        replace(test, baselines={"majority": Predictions(["a"], [])})
    with pytest.raises(LuthierError, match="not finite"):
        replace(test, predictions=Predictions(found.answers, [np.array([np.nan, 0.5])] * 2))


def test_predictions_are_a_table_of_what_everyone_answered(test_rows: Rows, tmp_path: Path) -> None:
    test = test_rows(("no", "yes"), rows=5)
    table = answers_table(test)
    assert [json.loads(answer) for answer in table["answer"].to_pylist()] == list(test.predictions.answers)
    assert [json.loads(answer) for answer in table["majority"].to_pylist()] == ["no"] * 5
    assert table["prediction"].to_pylist() == test.outputs.argmax(axis=1).tolist()
    assert table["probabilities"].to_pylist() == test.outputs.tolist()


def test_predictions_of_every_task_make_a_table(sample: Evaluated) -> None:
    table = answers_table(sample)
    assert [json.loads(label) for label in table["label"].to_pylist()] == sample.rows["label"].to_pylist()
    assert [json.loads(answer) for answer in table["answer"].to_pylist()] == list(sample.predictions.answers)
    lengths = [numbers.size for numbers in sample.predictions.evidence]
    assert [len(numbers) for numbers in table["evidence"].to_pylist()] == lengths
    assert ("probabilities" in table.column_names) == (sample.label_kind == "single")


def test_answers_that_are_read_back_have_the_same_scores(sample: Evaluated, tmp_path: Path) -> None:
    assert not can_be_read(tmp_path)
    write_answers(sample, tmp_path)
    assert can_be_read(tmp_path)
    found = read_answers(tmp_path)
    assert (found.head, found.label_kind, found.task.name) == (sample.head, sample.label_kind, sample.task.name)
    metrics = sample.task.metrics(sample.label_kind)
    assert defined_points(metrics, found.compared) == pytest.approx(defined_points(metrics, sample.compared))
    # Answers of before they said what they are answers of.
    table = pq.read_table(tmp_path / "predictions.parquet").replace_schema_metadata(None)
    pq.write_table(table, tmp_path / "predictions.parquet")
    assert not can_be_read(tmp_path)


def test_every_task_has_a_report_that_reads_back_equal(
    sample: Evaluated, make_report: Make, history: History, tmp_path: Path
) -> None:
    report = make_report(sample, metric=sample.task.metrics(sample.label_kind)[0])
    write_report(report, history, tmp_path)
    assert read_report(tmp_path) == report
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "curves.png",
        "for_tuning.json",
        "report.html",
        "report.json",
        "report.md",
        "scores.png",
    ]


def test_a_written_report_reads_back_equal_and_is_the_same_bytes_again(
    test_rows: Rows, make_report: Make, history: History, hostile: str, tmp_path: Path
) -> None:
    report = make_report(test_rows(("no", hostile), texts="ünïcode \u2028 text"))
    for name in ("one", "two"):
        write_report(report, history, tmp_path / name)
    assert read_report(tmp_path / "one") == report
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert first == second
    pictures, texts = ["confusion.png", "curves.png", "scores.png"], ["for_tuning.json", "report.html", "report.json"]
    assert sorted(first) == sorted([*pictures, *texts, "report.md"])


def test_the_short_json_has_exactly_the_promised_keys(test_rows: Rows, make_report: Make) -> None:
    short = report_json(
        make_report(test_rows(("no", "yes"))), mlflow_run_id="m", dagster_run_id="d", model_version=None
    )
    promised = (
        "recipe task verdict metric target metrics baselines gains champion gate reads next findings rows scored_rows "
        "unscored per_class"
    )
    assert list(short) == [
        *promised.split(),
        "trainable_parameters",
        "mlflow_run_id",
        "dagster_run_id",
        "model_version",
    ]
    assert set(short["metrics"]["accuracy"]) == set(short["baselines"]["majority"]) == {"value", "low", "high"}
    assert set(short["rows"]) == {"train", "validation", "test", "rejected"}
    assert json.loads(json.dumps(short, allow_nan=False)) == short


def test_reports_are_read_and_compared_without_the_libraries_that_made_them() -> None:
    """They take seconds to import, and `luthier report` prints in one or two."""
    heavy = ["torch", "transformers", "peft", "sklearn", "cleanlab"]
    modules = "luthier.evaluation.report, luthier.evaluation.versus_page"
    script = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
