"""A column of the source that slices the test rows, from the recipe to the report and its gate."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from tests.dag.graph import Graph, checks, failure, metadata, remade

DATA = (
    'source: reviews.csv, columns: {{text: text, label: "sentiment > 0"{slices}}}, labels: [bad, good], '
    "split: {{test: 0.5}}, augmentation: {{below: 1000}}"
)
EVALUATION = "{metric: accuracy, target: 0.1, gate: {slice: 1.01}}"


def test_a_column_slices_the_report_and_changes_nothing_that_is_trained(graph: Graph, tiny_bert, write_recipe) -> None:
    training = "{epochs: 1, batch_size: 16, max_length: 16, learning_rate: 2.0e-2, threads: 1}"
    write_recipe(base=tiny_bert, data=f"{{{DATA.format(slices='')}}}", training=training)
    plain = graph.run(select=["raw_data", "base_model", "cleaned_splits"])
    write_recipe(
        base=tiny_bert,
        data=f"{{{DATA.format(slices=', slices: [id]')}}}",
        training=training,
        evaluation=EVALUATION,
    )
    result = graph.run()
    assert result.success, failure(result)
    assert "cleaned_splits" in remade(result)
    before, after = (Path(metadata(each, "cleaned_splits")["folder"]) for each in (plain, result))
    for split in ("train", "validation", "test"):
        tables = [pq.read_table(folder / f"{split}.parquet") for folder in (before, after)]
        assert tables[0].drop_columns("slices").equals(tables[1].drop_columns("slices"))
    assert checks(result)["slices_reach_minimum"] is False
    folder = Path(metadata(result, "evaluation_report")["folder"])
    aspects = json.loads((folder / "report.json").read_text())["aspects"]
    by_id = [each for each in aspects["slices"]["slices"] if each["by"] == "column id"]
    assert [each["rows"] for each in by_id] == [30, 30, 30, 30]
    assert all(each["p"] is not None for each in by_id)
    assert {change["rows"] for change in aspects["robustness"]["changes"]} <= set(range(1, 121))
    assert aspects["impossible"] == {}
    page = (folder / "report.html").read_text()
    assert "column id" in page
    assert "Robustness" in page
