"""Labels that mark parts of a text, through cleaning and splitting."""

import hashlib
import json
import random
from pathlib import Path

import pyarrow.parquet as pq

from luthier.data.raw import RawSource, write_raw_data
from luthier.data.splits import write_cleaned_splits
from luthier.recipe.data_section import Columns, DataSection
from tests.unit.data.conftest import fetched

SPLITS = ("train", "validation", "test")
USED = "used"

NAMES = "Ada met 😀 Bob\tin\u202e Oslo"
GOOD_SPANS = '[{"start": 0, "end": 3, "label": "person"}, {"start": 10, "end": 13, "label": "person"}]'
# What stands in the label's column, what becomes of the row, and which texts are marked.
SPANS = [
    (GOOD_SPANS, USED, ["Ada", "Bob"]),
    ('[{"start": 18, "end": 22, "label": "place"}, {"start": 0, "end": 3, "label": "person"}]', USED, ["Ada", "Oslo"]),
    ('[{"start": 0, "end": 3, "label": "person"}, {"start": 3, "end": 7, "label": "place"}]', USED, ["Ada", " met"]),
    ("[]", USED, []),
    ('[{"start": 0, "end": 999, "label": "person"}]', "span out of range", None),
    ('[{"start": -3, "end": 2, "label": "person"}]', "span out of range", None),
    ('[{"start": 999, "end": 1000, "label": "person"}]', "span out of range", None),
    ('[{"start": 0, "end": 3, "label": "person"}, {"start": 2, "end": 5, "label": "place"}]', "spans overlap", None),
    ('[{"start": 0, "end": 3, "label": "person"}, {"start": 0, "end": 3, "label": "place"}]', "spans overlap", None),
    ('[{"start": 2, "end": 2, "label": "person"}]', "span empty", None),
    ('[{"start": 3, "end": 0, "label": "person"}]', "span empty", None),
    ('[{"start": 0, "end": 3, "label": "animal"}]', "label not in labels", None),
    ('[{"start": 0, "end": 3, "label": ""}]', "broken spans", None),
    ('[{"start": 0, "end": 3}]', "broken spans", None),
    ('[{"start": 0.0, "end": 3.5, "label": "person"}]', "broken spans", None),
    ('[{"start": false, "end": true, "label": "person"}]', "broken spans", None),
    ('[{"start": "0", "end": "3", "label": "person"}]', "broken spans", None),
    ('{"start": 0, "end": 3, "label": "person"}', "broken spans", None),
    ("[[0, 3, 1]]", "broken spans", None),
    ("[null]", "broken spans", None),
    ("[" * 100_000, "broken spans", None),
    (GOOD_SPANS[:-1], "broken spans", None),
    ("0 3 person", "broken spans", None),
    (" ", "missing label", None),
    (None, "missing label", None),
]


def test_spans_are_kept_where_they_mark_what_they_marked_and_rejected_where_they_cannot(tmp_path: Path) -> None:
    planted = SPANS * 20
    random.Random(5).shuffle(planted)
    texts = [f"{NAMES} {hashlib.shake_256(b'%d' % number).hexdigest(40)}" for number in range(len(planted))]
    rows = [{"text": text, "spans": spans} for text, (spans, _, _) in zip(texts, planted, strict=True)]
    (tmp_path / "spans.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = DataSection(
        source="spans.jsonl",
        columns=Columns(text="text", label="spans"),
        label_kind="spans",
        labels=["person", "place"],
    )
    raw, folder = tmp_path / "raw", tmp_path / "splits"
    write_raw_data([RawSource(fetched(tmp_path / "spans.jsonl"))], raw, required_columns=data.columns.required)
    facts = write_cleaned_splits(raw, folder, data)
    used = [row for split in SPLITS for row in pq.read_table(folder / f"{split}.parquet").to_pylist()]
    rejected = {row["line"] - 1: row["kind"] for row in pq.read_table(folder / "rejected.parquet").to_pylist()}
    assert {row["row"]: USED for row in used} | rejected == {
        row: becomes for row, (_, becomes, _) in enumerate(planted)
    }
    assert facts["rows"]["raw"] == len(used) + len(rejected) == len(planted)
    for row in used:
        assert [row["text"][span["start"] : span["end"]] for span in row["label"]] == planted[row["row"]][2]
