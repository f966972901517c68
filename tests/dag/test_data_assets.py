"""The data half of the graph: leaks stop it, and what a recipe asks of sources and base model reaches the rows."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import write_tokenizer
from tests.dag.graph import Graph, checks, failure, metadata

DATA = '{{source: {source}, columns: {{text: text, label: "sentiment > 0"}}, labels: [bad, good], {more}}}'
ONLY_DATA = "raw_data,base_model,cleaned_splits"


@pytest.fixture
def run(graph: Graph, tiny_bert: Path, write_recipe) -> Callable[..., dg.ExecuteInProcessResult]:
    """Materializes the data assets of a recipe with ``more`` in its data section."""

    def _run(more: str = "augmentation: {below: 0}", *, source: str = "reviews.csv") -> dg.ExecuteInProcessResult:
        write_recipe(base=tiny_bert, data=DATA.format(source=source, more=more))
        return graph.run(select=[*ONLY_DATA.split(",")])

    return _run


def splits(result: dg.ExecuteInProcessResult) -> dict[str, pa.Table]:
    folder = Path(metadata(result, "cleaned_splits")["folder"])
    return {name: pq.read_table(folder / f"{name}.parquet") for name in ("train", "validation", "test")}


@pytest.mark.parametrize(
    ("kind", "changed"),
    [("exact", str), ("normalised", lambda text: f"{text.upper()} !"), ("near-duplicate", lambda text: f"{text}s")],
)
def test_a_leak_of_any_kind_fails_the_check_with_counts_and_the_texts(run, monkeypatch, kind, changed):
    from luthier.data import splits as module

    honest = module.write_cleaned_splits

    def leaky(raw: Path, folder: Path, data: object, **options: object) -> object:
        facts = honest(raw, folder, data, **options)
        train, test = (pq.read_table(folder / f"{name}.parquet") for name in ("train", "test"))
        (row,) = train.slice(0, 1).to_pylist()
        planted = pa.Table.from_pylist([{**row, "text": changed(row["text"])}], test.schema)
        pq.write_table(pa.concat_tables([test, planted]), folder / "test.parquet")
        return facts

    monkeypatch.setattr(module, "write_cleaned_splits", leaky)
    result = run()
    assert not result.success
    assert checks(result)["no_leakage"] is False
    (check,) = (check for check in result.get_asset_check_evaluations() if check.check_name == "no_leakage")
    assert check.metadata["by kind"].data == {kind: {"train/test": 1}}
    (example,) = check.metadata["examples"].records
    assert (example.data["kind"], example.data["split_a"], example.data["split_b"]) == (kind, "train", "test")
    assert example.data["text_b"] == changed(example.data["text_a"])


def test_a_person_sees_splits_lengths_reasons_the_nearest_pair_and_a_preview(run, project):
    with (project / "reviews.csv").open("a") as file:
        file.write("900,1.5,<script>alert(1)</script>\n901,many,film\n902\n")
    result = run()
    assert result.success, failure(result)
    shown = metadata(result, "cleaned_splits")
    table = [record.data for record in shown["splits by label"].records]
    assert table[-1] == {"label": "all", "train": "168", "validation": "36", "test": "36"}
    reasons = {record.data["reason"]: record.data["rows"] for record in shown["rejected by reason"].records}
    assert reasons == {"empty text": "1", "label not computable": "1", "wrong number of fields": "1"}
    assert "data:image/png;base64" in shown["lengths"]
    assert shown["truncation"].startswith("No text is longer than max_length 16")
    assert len(shown["preview"].records) == 15
    page = Path(shown["report"]).read_text()
    assert "<script" not in page and "&lt;script&gt;" in page


def test_too_many_bad_rows_fail_the_run(run, project):
    with (project / "reviews.csv").open("a") as file:
        file.write("901,many,film\n" * 30)
    result = run()
    assert not result.success
    assert checks(result)["rejections_within_limit"] is False
    assert run("augmentation: {below: 0}, cleaning: {max_rejected: 0.2}").success


def test_over_long_texts_go_by_the_base_models_tokens(run, project):
    with (project / "reviews.csv").open("a") as file:
        file.write(f"900,1.5,{'film ' * 30}\n")
    dropped = metadata(run("augmentation: {below: 0}, cleaning: {over_long: drop}"), "cleaned_splits")
    (reason,) = dropped["rejected by reason"].records
    assert reason.data == {"reason": "over-long text", "rows": "1"}
    refused = failure(run("augmentation: {below: 0}, cleaning: {over_long: refuse}"))
    assert "longer than the model reads" in refused and "32 tokens, max_length is 16" in refused


def test_words_are_replaced_by_another_models_masks_in_train_alone(run, tmp_path):
    import torch
    from transformers import BertConfig, BertForMaskedLM

    model = tmp_path / "masked"
    model.mkdir()
    write_tokenizer(model)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertForMaskedLM(BertConfig(vocab_size=64, max_position_embeddings=64, **sizes)).save_pretrained(model)
    result = run(f"augmentation: {{kinds: [mask], model: {model}}}")
    assert result.success, failure(result)
    found = splits(result)
    assert set(found["train"]["augmentation"].to_pylist()) == {None, "mask"}
    assert found["test"]["parent"].null_count == len(found["test"])
    headless = run("augmentation: {kinds: [mask]}")
    assert "no masked language model's head" in failure(headless)


def test_a_query_is_a_source_and_its_secret_is_nowhere(run, graph, project, monkeypatch):
    with sqlite3.connect(project / "reviews.db") as database:
        database.execute("create table reviews (text text, sentiment real)")
        rows = [
            (f"a film number {row} seen in the {row * 7} th hour of {row * 13}", row % 2 - 0.5) for row in range(80)
        ]
        database.executemany("insert into reviews values (?, ?)", rows)
    monkeypatch.setenv("REVIEWS_URL", f"sqlite:///{project / 'reviews.db'}?timeout=37")
    query = "query: 'select text, sentiment from reviews order by text', augmentation: {below: 0}"
    result = run(query, source="sql://REVIEWS_URL")
    assert result.success, failure(result)
    assert metadata(result, "raw_data")["dagster/row_count"] == 80
    again = run(query, source="sql://REVIEWS_URL")
    assert metadata(again, "raw_data")["reused"] is True
    with sqlite3.connect(project / "reviews.db") as database:
        database.execute("insert into reviews values ('one more film, quite another', 0.5)")
    assert metadata(run(query, source="sql://REVIEWS_URL"), "raw_data")["reused"] is False
    written = [path for path in (project / "home").rglob("*") if path.is_file()]
    assert not [path for path in written if b"timeout=37" in path.read_bytes()]


def test_a_file_outside_the_project_needs_leave(run, monkeypatch, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "reviews.csv"
    elsewhere.write_text("text,sentiment\ngood,1\n")
    monkeypatch.setenv("LUTHIER_DATA_ROOTS", "")
    said = failure(run(source=str(elsewhere)))
    assert "LUTHIER_DATA_ROOTS" in said
