"""What a served model answered, as a source: raw rows with the log's columns."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.data.raw import RawSource, write_raw_data
from luthier.errors import SourceError
from luthier.serving.prediction_log import PredictionLog
from luthier.sources import Access, fetch


@pytest.fixture
def access(tmp_path) -> Access:
    (tmp_path / "project").mkdir()
    return Access(tmp_path / "downloads", root=tmp_path / "project", predictions=tmp_path / "predictions")


def write_log(folder, texts, version="1") -> None:
    with PredictionLog(folder, share=1.0) as log:
        said = pa.table({"label": ["good"] * len(texts), "probability": [0.5] * len(texts)})
        log.record(pa.table({"text": texts}), said, version=version)


def test_the_log_of_a_model_is_read_as_rows_and_has_a_fingerprint_of_what_it_says(tmp_path, access):
    write_log(tmp_path / "predictions" / "reviews", ["a film", "a plot"])
    first = fetch("predictions://reviews", access)
    assert fetch("predictions://reviews", access).fingerprint == first.fingerprint
    write_log(tmp_path / "predictions" / "reviews", ["an end"], version="2")
    (tmp_path / "predictions" / "reviews" / ".half.parquet.1.tmp").write_text("half")
    found = fetch("predictions://reviews", access)
    assert found.fingerprint != first.fingerprint and found.provenance["files"] == "2"
    facts = write_raw_data([RawSource(found)], tmp_path / "raw", required_columns=["text", "label"])
    assert (facts.rows, facts.rejected) == (3, 0)
    rows = pq.read_table(tmp_path / "raw" / "rows.parquet").to_pylist()
    assert [(row["text"], row["label"], row["version"]) for row in rows] == [
        ("a film", "good", "1"),
        ("a plot", "good", "1"),
        ("an end", "good", "2"),
    ]
    assert rows[0]["time"].endswith("+00:00") and rows[0]["pair"] is None


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("predictions://reviews", "nothing was logged(.|\n)*serve.log_predictions"),
        ("predictions://", "no model's name"),
        ("predictions://../project", "no model's name"),
        ("predictions://..", "no model's name"),
    ],
)
def test_what_is_not_there_or_leads_elsewhere_is_refused(access, uri, said):
    with pytest.raises(SourceError, match=said):
        fetch(uri, access)
    with pytest.raises(SourceError):
        fetch(uri, replace(access, predictions=None))
