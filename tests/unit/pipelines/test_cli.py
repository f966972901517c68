import json
import os
import subprocess
import sys

import pytest

from resources.tracking import Tracking


def luthier(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def test_a_wrong_recipe_gets_all_its_problems_before_anything_is_made_and_exit_code_2(project, tiny_bert, write_recipe):
    write_recipe(
        base=tiny_bert,
        data='{source: reviews.csv, columns: {text: txt, label: "sentimnt > 0"}, labls: [a, b]}',
        method="{kind: lora, r: 4096, target_modules: [qury]}",
        training="{epochs: many, lerning_rate: 1}",
        evaluation="{metric: acuracy}",
    )
    ended = luthier("run", "tiny")
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    for line, said in [
        (2, "data.columns.text"),
        (2, "did you mean 'sentiment'?"),
        (2, "did you mean 'labels'?"),
        (4, "method.r"),
        (4, "did you mean 'query'?"),
        (5, "training.epochs"),
        (5, "did you mean 'learning_rate'?"),
        (6, "did you mean 'accuracy'?"),
    ]:
        assert any(f"tiny.yaml:{line}" in text and said in text for text in ended.stderr.splitlines()), (line, said)
    assert not (project / "home" / "artifacts").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "tinny"], 2, "did you mean 'tiny'?"),
        (["run", "tiny", "--set", "training.epoch=1"], 2, "did you mean 'epochs'?"),
        (["run", "tiny", "--from", "adaptor"], 1, "one of adapter"),
        (["run"], 2, "Missing argument"),
        (["report", "tiny"], 1, "luthier run tiny"),
        (["predict", "tiny"], 2, "give texts"),
        (["predict", "tiny", "--file", "/nowhere.txt"], 1, "cannot be read"),
    ],
)
def test_wrong_use_ends_with_a_remedy_and_no_traceback(project, tiny_bert, write_recipe, arguments, code, said):
    write_recipe(base=tiny_bert)
    ended = luthier(*arguments)
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False), ended.stderr
    assert said in ended.stderr


def test_recipes_are_listed_checked_shown_and_described(project, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert)
    assert luthier("recipe", "list").stdout.split() == ["tiny"]
    assert luthier("recipe", "check").returncode == 0
    shown = luthier("recipe", "show", "tiny", "--set", "training.seed=3", COLUMNS="200").stdout
    assert any(line.split()[:2] == ["training.seed", "3"] and "launch override" in line for line in shown.splitlines())
    assert json.loads(luthier("recipe", "schema").stdout)["additionalProperties"] is False


def test_run_report_predict_and_what_a_program_reads(project, tiny_bert, write_recipe):
    write_recipe(
        base=tiny_bert,
        method="{kind: full}",
        training="{epochs: 10, batch_size: 16, max_length: 16, learning_rate: 2.0e-3, threads: 1, "
        "early_stopping: {patience: 20}}",
    )
    ran = luthier("run", "tiny")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for said in ("majority", "tf-idf", "untuned base", "version 1", "report.html", "make ui", "luthier predict tiny"):
        assert said in ran.stdout
    assert ("epoch" in ran.stdout and "left" in ran.stdout) or "validation accuracy" in ran.stdout

    report = json.loads(luthier("report", "tiny", "--json").stdout)
    assert report.keys() == {
        "gate",
        "reads",
        "next",
        "findings",
        "recipe",
        "verdict",
        "metric",
        "target",
        "metrics",
        "baselines",
        "gains",
        "champion",
        "rows",
        "trainable_parameters",
        "task",
        "scored_rows",
        "unscored",
        "per_class",
        "mlflow_run_id",
        "dagster_run_id",
        "model_version",
    }
    assert report["rows"].keys() == {"train", "validation", "test", "rejected"}
    assert (report["verdict"], report["model_version"]) == ("met", "1")
    assert report["metrics"]["accuracy"].keys() == {"value", "low", "high"}
    assert report["gains"].keys() == report["baselines"].keys()

    (project / "texts.txt").write_text("good warm film\n\nawful grim story\n")
    answered = luthier("predict", "tiny", "--file", str(project / "texts.txt"), "--json").stdout.splitlines()
    assert [json.loads(line)["label"] for line in answered] == ["good", "bad"]
    outside = {path.name for path in project.iterdir()}
    assert outside == {"home", "recipes", "reviews.csv", "texts.txt"}


def test_data_shows_the_splits_and_a_label_kind_or_metric_that_the_task_has_not_is_refused(
    project, tiny_bert, write_recipe
):
    with (project / "reviews.csv").open("a") as file:
        file.write("900,1.5,good lovely film extra\n901,1.5,GOOD lovely film: extra\n902,many,no number here\n903\n")
    write_recipe(base=tiny_bert)
    shown = luthier("data", "tiny", COLUMNS="120")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    for said in ("No leak found", "label not computable", "wrong number of fields", "duplicate", "report.html"):
        assert said in shown.stdout
    made = {path.name for path in (project / "home" / "artifacts").iterdir()}
    assert made == {"raw_data", "base_model", "cleaned_splits", "data_report"}

    limited = luthier("data", "tiny", "--set", "data.cleaning.max_rejected=0.001", LUTHIER_DAGSTER_PORT="3999")
    assert limited.returncode == 1 and "then http://127.0.0.1:3999/runs/" in limited.stdout
    assert "rejected because" in limited.stdout and "rejections_within_limit" in limited.stdout

    numbers = ("--set", "data.label_kind=number", "--set", "data.columns.label=sentiment", "--set", "data.labels=null")
    assert luthier("data", "tiny", *numbers, "--set", "evaluation.metric=pearson").returncode == 0
    refused = luthier("run", "tiny", *numbers)
    assert refused.returncode == 2
    assert "must be a metric of text-classification: pearson, spearman, mse" in refused.stderr
    spans = luthier("recipe", "check", "tiny", "--set", "data.label_kind=spans")
    assert spans.returncode == 2
    assert "must be one of single, multi, number for text-classification" in spans.stderr


def test_sync_says_what_is_left_and_sends_it_once_mlflow_is_back(project, monkeypatch):
    away = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    tracking = Tracking(home=str(project / "home"), patience=1.0)
    with monkeypatch.context() as outage:
        outage.setenv("MLFLOW_TRACKING_URI", away["MLFLOW_TRACKING_URI"])
        with tracking.run(asset="adapter", name="training", dagster_run_id="gone", recipe="tiny") as run:
            run.log_metrics({"loss": 0.5}, step=1)
    failed = luthier("sync", **away)
    assert failed.returncode == 1
    assert "MLflow has not received everything" in failed.stderr
    sent = luthier("sync")
    assert sent.returncode == 0, sent.stderr
    assert "0 journals still to be sent" in sent.stdout
    client = tracking.store.client
    (training,) = client.search_runs(
        [experiment.experiment_id for experiment in client.search_experiments()], "attributes.run_name = 'training'"
    )
    assert training.data.metrics == {"loss": 0.5}
