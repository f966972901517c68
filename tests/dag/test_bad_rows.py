"""Ten thousand bad rows in two files: each is cleaned and used or rejected for its reason; the good are trained on."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from luthier.training.tokens import read_tokens
from tests.dag.bad_rows import HOSTILE, KINDS, USED, Planted, Planter
from tests.dag.graph import Graph, checks, failure, metadata, remade, up_to
from tests.html_page import Page

SPLITS = ("train", "validation", "test")
RECIPE = """
task: text-classification
data:
  source: [bad.csv, bad.jsonl]
  columns: {{id: id, text: text, label: stars / 2}}
  labels: [bad, good]
  label_map: {{"1": bad, "2": good}}
  augmentation: {{below: 0}}
base_model: {{source: {base}}}
method: {{kind: full}}
training: {{epochs: 2, batch_size: 32, max_length: 16, learning_rate: 2.0e-3, threads: 1}}
"""


@dataclass(frozen=True)
class Outcome:
    """One run over the planted rows."""

    graph: Graph
    result: dg.ExecuteInProcessResult
    planted: list[Planted]

    def artifact(self, asset: str) -> Path:
        (folder,) = (self.graph.artifacts.root / asset).glob("*/manifest.json")
        return folder.parent

    def facts(self, asset: str) -> dict[str, Any]:
        return json.loads((self.artifact(asset) / "facts.json").read_text())

    def table(self, asset: str, name: str) -> list[dict[str, Any]]:
        return pq.read_table(self.artifact(asset) / f"{name}.parquet").to_pylist()


@pytest.fixture(scope="module")
def run(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Outcome]]:
    """Runs the graph over the planted rows in a project of its own, with overrides of the recipe."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)

        def _run(*overrides: str) -> Outcome:
            project = tmp_path_factory.mktemp("bad")
            patch.setenv("LUTHIER_HOME", str(project / "home"))
            for name in ("recipes", "dagster"):
                (project / name).mkdir()
            (project / "recipes" / "tiny.yaml").write_text(RECIPE.format(base=tiny_bert))
            planted = Planter().write(project)
            graph = Graph(project, stack.enter_context(dg.DagsterInstance.local_temp(str(project / "dagster"))))
            return Outcome(graph, graph.run(*overrides, select=up_to("adapter")), planted)

        yield _run


@pytest.fixture(scope="module")
def outcome(run: Callable[..., Outcome]) -> Outcome:
    """The whole way to the adapter, with as many bad rows as there are."""
    outcome = run("data.cleaning.max_rejected=1.0")
    assert outcome.result.success, failure(outcome.result)
    return outcome


def test_there_are_ten_thousand_rows_that_are_not_plain(outcome: Outcome) -> None:
    assert sum(planted.kind.name != "plain" for planted in outcome.planted) >= 10_000
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_every_row_is_counted_once(outcome: Outcome) -> None:
    rows = outcome.facts("cleaned_splits")["rows"]
    assert rows["augmented"] == rows["not_sampled"] == 0
    parts = (*SPLITS, "rejected", "duplicates")
    assert rows["raw"] == sum(rows[part] for part in parts) == len(outcome.planted)


def test_every_row_is_in_one_split_or_rejected_for_the_right_reason(outcome: Outcome) -> None:
    raw = outcome.table("raw_data", "rows")
    found: dict[tuple[str, int], list[str]] = defaultdict(list)
    for split in SPLITS:
        for row in outcome.table("cleaned_splits", split):
            found[raw[row["row"]]["_file"], raw[row["row"]]["_line"]].append(USED)
    for row in outcome.table("cleaned_splits", "rejected"):
        found[row["file"], row["line"]].append(row["kind"])
    expected = {(planted.file, planted.line): [planted.kind.becomes] for planted in outcome.planted}
    names = {(planted.file, planted.line): planted.kind.name for planted in outcome.planted}
    wrong = Counter(
        (names.get(place, "none"), str(expected.get(place)), str(found.get(place)))
        for place in expected.keys() | found.keys()
        if expected.get(place) != found.get(place)
    )
    assert not wrong, "\n".join(f"{c} {w}" for w, c in wrong.most_common(60))


def test_a_rejected_row_keeps_what_was_written(outcome: Outcome) -> None:
    rejected = {(row["file"], row["line"]): row for row in outcome.table("cleaned_splits", "rejected")}
    for planted in outcome.planted:
        if planted.kind.becomes != USED:
            row = rejected[planted.file, planted.line]
            assert row["reason"]
            written = str(json.loads(row["raw"])).replace("\0", "").replace("\\x00", "")
            assert planted.row.id in written, planted.kind.name


def test_good_rows_are_used_clean_and_with_their_labels(outcome: Outcome) -> None:
    used = [(row["text"], row["label"]) for split in SPLITS for row in outcome.table("cleaned_splits", split)]
    good = [(planted.text, planted.label) for planted in outcome.planted if planted.kind.becomes == USED]
    assert Counter(used) == Counter(good)


def test_the_model_is_trained_on_the_good_rows_and_on_no_other(outcome: Outcome) -> None:
    train = outcome.table("cleaned_splits", "train")
    tokens = read_tokens(outcome.artifact("tokens"), "train")
    assert tokens["labels"] == [row["label_id"] for row in train]
    good = sum(planted.kind.becomes == USED for planted in outcome.planted)
    assert len(tokens) == good - round(0.15 * good) * 2
    assert "adapter" in remade(outcome.result)
    trained = metadata(outcome.result, "adapter")
    assert trained["steps"] == 2 * -(-len(train) // 32)
    assert trained["best validation score"] > 0.9


def test_a_page_about_hostile_rows_holds_nothing_that_runs(outcome: Outcome) -> None:
    page = Page((outcome.artifact("data_report") / "report.html").read_text())
    assert HOSTILE in page.text
    assert not page.tags & {"script", "x", "img", "iframe", "object", "embed", "base", "link"}
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_more_bad_rows_than_the_recipe_allows_stop_the_run_before_training(run: Callable[..., Outcome]) -> None:
    refused = run()
    assert not refused.result.success
    assert {name for name, passed in checks(refused.result).items() if not passed} == {"rejections_within_limit"}
    assert "adapter" not in remade(refused.result)
    assert not [name for name in ("tokens", "adapter") if (refused.graph.artifacts.root / name).exists()]
