import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.input_cleaning import InputCleaning
from luthier.data.row_content import LabelledTexts
from luthier.errors import DataError
from luthier.packaging.serving import rows_of
from luthier.recipe.data_section import DataSection

RAW = " <b>Tom</b> &amp; Jerry\tin the cafÃ© \n"
CLEAN = "Tom & Jerry in the café"


def data(**given: Any) -> DataSection:
    return DataSection.model_validate(
        {"source": "rows.csv", "columns": {"text": "text", "pair": "pair", "label": "label"}, **given}
    )


def cleaning(**given: Any) -> InputCleaning:
    return InputCleaning.of_splits(data(**given).model_dump(mode="json"))


def row(cleaning: InputCleaning | None, **columns: str) -> dict[str, Any]:
    return rows_of(pa.table({name: [value] for name, value in columns.items()}), cleaning).to_pylist()[0]


def test_a_served_text_is_cleaned_as_a_training_text():
    found = row(cleaning(), text=RAW, pair=RAW)
    assert (found["text"], found["pair"]) == (CLEAN, CLEAN)
    assert row(None, text=RAW)["text"] == RAW


@given(st.text(), st.sampled_from(["strip", "keep"]), st.booleans(), st.sampled_from(["off", "mask"]))
def test_what_training_read_is_what_serving_reads(text: str, html: str, repair: bool, pii: str):
    section = data(cleaning={"html": html, "repair": repair, "pii": pii})
    reader = LabelledTexts(section, ["text", "pair", "label"])
    raw = {"text": f"word {text}", "pair": "pair", "label": "a"}
    trained = reader.read(raw)
    served = InputCleaning.of_splits(section.model_dump(mode="json")).row(0, {**raw, "messages": None})
    assert (served["text"], served["pair"]) == (trained.text, trained.pair)


def test_cleaning_again_changes_nothing():
    once = row(cleaning(cleaning={"pii": "mask"}), text=f"{RAW} write to a@b.example")["text"]
    assert "a@b.example" not in once
    assert row(cleaning(cleaning={"pii": "mask"}), text=once)["text"] == once


def test_where_answers_count_characters_none_moves():
    found = row(cleaning(label_kind="spans"), text=RAW)
    assert found["text"] == RAW.replace("\t", " ").replace("\n", " ")


def test_of_a_conversation_what_each_turn_says_is_cleaned_and_keeps_its_lines():
    turns = [{"role": "user", "content": "<i>one</i>\ntwo"}]
    found = row(cleaning(), messages=json.dumps(turns))
    assert json.loads(found["messages"]) == [{"role": "user", "content": "one\ntwo"}]


def test_a_text_of_which_nothing_is_left_is_refused_with_its_row():
    with pytest.raises(DataError, match="row 0 has no text"):
        row(cleaning(), text="<br><br>")


def test_personal_data_that_training_rejects_is_answered():
    assert row(cleaning(cleaning={"pii": "reject"}), text="write to a@b.example")["text"] == "write to a@b.example"
