"""From production back to data: a champion's logged answers, their drift, rows made of them; and files answered."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.serving.prediction_log import PredictionLog
from tests.conftest import BAD, GOOD, PLAIN
from tests.dag.graph import Graph, failure, metadata
from tests.dag.test_drift import FULL

ACCURATE = {**FULL, "evaluation": "{metric: accuracy, target: 0.8}"}
Texts = list[str]


def texts(rows: int, *, seed: int, positive: float = 0.5, words: int = 5) -> Texts:
    """Unseen texts like those of ``write_reviews``, or with other shares of the labels, or longer."""
    generator, made = random.Random(seed), []
    for row in range(rows):
        chosen = [*generator.choices(PLAIN, k=words), *generator.sample(GOOD if row < rows * positive else BAD, 2)]
        generator.shuffle(chosen)
        made.append(f"{' '.join(chosen)} {generator.randrange(240)}")
    return made


@pytest.fixture
def deployed(graph: Graph, tiny_bert: Path, write_recipe: Callable[..., Path]) -> Graph:
    write_recipe(base=tiny_bert, **ACCURATE)
    result = graph.run()
    assert result.success and graph.tracking.champion("tiny") == "1", failure(result)
    return graph


def serve(graph: Graph, asked: Texts) -> None:
    """As a server with serve.log_predictions: 1.0 does."""
    rows = pa.table({"text": asked})
    said = graph.tracking.load_version("tiny").predict(rows.to_pandas())
    with PredictionLog(graph.artifacts.predictions / "tiny", share=1.0) as log:
        log.record(rows, pa.Table.from_pandas(said, preserve_index=False), version="1")


def served_drift(graph: Graph, *overrides: str) -> dg.AssetCheckEvaluation:
    result = graph.run(*overrides, select=["raw_data", "base_model", "cleaned_splits"])
    assert result.success, failure(result)
    (check,) = (each for each in result.get_asset_check_evaluations() if each.check_name == "served_drift")
    return check


def test_what_the_champion_is_asked_is_compared_with_what_it_was_trained_on_and_read_back_as_rows(deployed, project):
    assert served_drift(deployed).passed and "nothing was logged" in served_drift(deployed).description
    with PredictionLog(deployed.artifacts.predictions / "tiny", share=1.0) as log:
        log.record(pa.table({"text": ["x"]}), pa.table({"label": ["good"]}), version="0")
    other = served_drift(deployed)
    assert other.passed and "has answered none of the logged rows" in other.description

    serve(deployed, texts(200, seed=1))
    alike = served_drift(deployed)
    assert alike.passed and alike.description.startswith("200 served rows are like those that version 1"), alike
    table = {record.data["what"]: record.data for record in alike.metadata["differences"].records}
    assert table.keys() == {"label_share", "length", "embedding"}

    serve(deployed, texts(200, seed=2, positive=0.95, words=9))
    shifted = served_drift(deployed, "drift.served_rows=200")
    assert shifted.passed is False and shifted.severity == dg.AssetCheckSeverity.WARN
    assert shifted.metadata["served rows"].value == 200
    assert "labels differ by 0.4" in shifted.description and "lengths differ by" in shifted.description
    assert served_drift(deployed, "drift.served_rows=400").metadata["served rows"].value == 400

    later = deployed.run("data.source=predictions://tiny", "data.columns.label=label", select=["raw_data"])
    assert later.success, failure(later)
    assert metadata(later, "raw_data")["dagster/row_count"] == 401


def luthier(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", *arguments]
    return subprocess.run(command, env={**os.environ}, input=given, capture_output=True, text=True, check=False)


WRONG = [
    (["--file", "reviews.csv"], 2, "give --out FILE"),
    (["--out", "x.csv"], 2, "--out takes --file"),
    (["--file", "reviews.csv", "--out", "x.xlsx"], 1, "let its name end in"),
    (["--file", "nowhere.csv", "--out", "x.csv"], 1, "no such file"),
    (["--file", "reviews.csv", "--out", "x.csv", "--format", "xml"], 1, "unknown form of data"),
    (["--file", "reviews.csv", "--out", "x.csv", "--version", "9"], 1, "no such version"),
    (["--file", "reviews.csv", "--out", "x.csv", "--text", "txt"], 1, "did you mean 'text' for 'txt'?"),
]


def test_the_command_answers_raw_files_refuses_wrong_use_and_goes_on_after_a_kill(deployed, project, monkeypatch):
    monkeypatch.chdir(project)
    ended = luthier("predict", "tiny", "--file", "reviews.csv", "--out", "out.parquet")
    assert ended.returncode == 0, ended.stderr
    assert "240 rows answered by tiny version 1" in ended.stdout and "240 rows to answer" in ended.stderr
    found = pq.read_table(project / "out.parquet").to_pylist()
    with (project / "reviews.csv").open(newline="") as file:
        source = list(csv.DictReader(file))
    assert [{name: row[name] for name in source[0]} for row in found] == source
    right = [row["label"] == ("good" if float(row["sentiment"]) > 0 else "bad") for row in found]
    assert sum(right) > 0.8 * len(right)

    one = deployed.tracking.load_version("tiny").predict(pa.table({"text": [row["text"] for row in found]}).to_pandas())
    assert [row["label"] for row in found] == one["label"].tolist()
    assert [row["probability"] for row in found] == pytest.approx(one["probability"].tolist(), abs=1e-5)

    lines = luthier("predict", "tiny", "--file", "-", "--out", "o.jsonl", given="good warm film\n\ngrim\n")
    assert lines.returncode == 0, lines.stderr
    said = [json.loads(line) for line in (project / "o.jsonl").read_text().splitlines()]
    assert [(row["text"], row["label"], row["model_version"]) for row in said] == [
        ("good warm film", "good", "1"),
        ("grim", "bad", "1"),
    ]
    assert {path.name for path in project.iterdir()} == {
        "dagster",
        "home",
        "recipes",
        "reviews.csv",
        "out.parquet",
        "o.jsonl",
    }

    before = {path.name for path in project.iterdir()}
    for arguments, code, said in WRONG:
        ended = luthier("predict", "tiny", *arguments)
        assert (ended.returncode, "Traceback" in ended.stderr) == (code, False), ended.stderr
        assert said in ended.stderr and {path.name for path in project.iterdir()} == before

    pq.write_table(pa.table({"text": texts(40_000, seed=3)}), project / "big.parquet")
    command = ["predict", "tiny", "--file", "big.parquet", "--out", "big-out.parquet"]
    begun = subprocess.Popen([sys.executable, "-c", "from pipelines.cli import main; main()", *command])
    while len(list((project / "big-out.parquet.parts").glob("part-*"))) < 2:
        assert begun.poll() is None
        time.sleep(0.01)
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    ended = luthier(*command)
    assert ended.returncode == 0 and "of them before" in ended.stderr, ended.stderr
    assert pq.read_table(project / "big-out.parquet")["row"].to_pylist() == list(range(1, 40_001))
