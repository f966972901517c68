"""Conversations in the formats of instruction data, from the file to the splits."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.cleaning import Cleaner, CleanRow, Dropped
from luthier.data.conversations import recognise
from luthier.data.leakage import find_leaks
from luthier.data.raw import RawSource, write_raw_data
from luthier.data.splits import write_cleaned_splits
from luthier.errors import DataError
from luthier.recipe.data_section import DataSection
from tests.unit.data.conftest import SPLITS, fetched, lines

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is\nthis?"}]
OPENAI = [*ASKED, {"role": "assistant", "content": "A test."}]
SHAREGPT = [
    {"from": "system", "value": "Be brief."},
    {"from": "human", "value": "What is\nthis?"},
    {"from": "gpt", "value": "A test."},
]
ALPACA = {"instruction": "What is\nthis?", "output": "A test.", "system": "Be brief."}


def _clean(row: dict[str, Any], *, missing: Any = (), pii: str = "off", **columns: str) -> CleanRow | Dropped:
    cleaning = {"missing": list(missing), "pii": pii}
    section = {"source": "a.jsonl", "columns": columns, "label_kind": "text", "cleaning": cleaning}
    texts = {name: value if isinstance(value, str | None) else json.dumps(value) for name, value in row.items()}
    return Cleaner(DataSection.model_validate(section), list(row)).clean(0, {**texts, "_file": "a", "_line": 1})


def _row(row: dict[str, Any], **options: Any) -> CleanRow:
    clean = _clean(row, **options)
    assert isinstance(clean, CleanRow), clean
    return clean


@pytest.mark.parametrize("row", [{"messages": OPENAI}, {"conversations": SHAREGPT}, ALPACA])
def test_three_formats_say_the_same(row: dict[str, Any]) -> None:
    clean = _row({**row, "score": "5"})
    assert clean.text == "system: Be brief.\nuser: What is\nthis?"
    assert json.loads(clean.messages or "") == ASKED
    assert clean.target == "A test."
    assert (clean.pair, clean.key) == (None, "system be brief user what is this")


@pytest.mark.parametrize("conversation", [OPENAI, SHAREGPT])
def test_a_column_of_another_name_is_named(conversation: Any) -> None:
    assert _row({"talk": conversation, "messages": "x", "output": "y"}, messages="talk").target == "A test."


def test_an_input_stands_below_its_instruction_and_may_be_empty() -> None:
    row = {"instruction": "Add.", "input": "1 and 2", "output": "3"}
    assert json.loads(_row(row).messages or "") == [{"role": "user", "content": "Add.\n\n1 and 2"}]
    for nothing in (None, " ", "NA"):
        assert _row({**row, "input": nothing}, missing=["NA"]).text == "user: Add."


def test_everything_said_is_cleaned_and_keeps_its_lines() -> None:
    said = [{"role": "user", "content": " a\t <b>b</b>\n\nc "}, {"role": "assistant", "content": "caf\xc3\xa9\n d"}]
    row = _row({"messages": said})
    assert (row.text, row.target) == ("user: a b\n\nc", "caf\xe9\nd")


def test_personal_data_is_masked_in_every_message() -> None:
    said = [("user", "I am joe@example.org"), ("assistant", "Hi"), ("user", "Who?"), ("assistant", "joe@example.org")]
    talk = [{"role": role, "content": content} for role, content in said]
    row = _row({"messages": talk}, pii="mask")
    assert row.text == "user: I am [EMAIL]\nassistant: Hi\nuser: Who?"
    assert "example" not in (row.messages or "") and row.target == "[EMAIL]" and row.pii == {"email": 2}


def test_two_turns_of_a_user_in_a_row_are_fine() -> None:
    assert _row({"messages": [OPENAI[1], OPENAI[1], OPENAI[2]]}).text.count("user:") == 2


@pytest.mark.parametrize(
    ("row", "kind", "reason"),
    [
        ({"messages": None}, "missing conversation", ""),
        ({"messages": " "}, "missing conversation", ""),
        ({"messages": "[{"}, "broken conversation", "no JSON list: '[{'"),
        ({"messages": "[" * 100_000}, "broken conversation", ""),
        ({"messages": {"role": "user", "content": "x"}}, "broken conversation", "no JSON list"),
        ({"messages": ["hello"]}, "broken conversation", "message 1 has no texts"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "broken conversation", "message 1 has no texts"),
        ({"messages": [{"role": "user", "content": None}]}, "broken conversation", "message 1 has no texts"),
        ({"messages": [{"content": "x"}]}, "broken conversation", "message 1 has no texts"),
        ({"messages": [OPENAI[1], {"role": "bot", "content": "x"}]}, "unknown role", "message 2 is of 'bot'"),
        ({"messages": []}, "no final assistant message", "there is no message"),
        ({"messages": ASKED}, "no final assistant message", "the last one is of the user"),
        ({"messages": [OPENAI[2]]}, "no user message", ""),
        ({"messages": [OPENAI[0], OPENAI[2]]}, "no user message", ""),
        ({"messages": [OPENAI[1], {"role": "assistant", "content": "<p> </p>"}]}, "empty message", "message 2, of the"),
        ({"conversations": [{"from": "human", "value": ""}, SHAREGPT[2]]}, "empty message", "message 1, of the user"),
        ({"instruction": "x", "output": None}, "empty message", "message 2, of the assistant"),
        ({"instruction": "", "output": "y"}, "empty message", "message 1, of the user"),
    ],
)
def test_a_broken_conversation_rejects_its_row(row: dict[str, Any], kind: str, reason: str) -> None:
    dropped = _clean(row)
    assert isinstance(dropped, Dropped) and dropped.kind == kind and reason in dropped.reason, dropped


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["role", "content", "from", "value"]), inner, max_size=4)
        | st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "gpt"]), "content": st.text(max_size=5)})
    ),
)


@given(st.lists(JSON, max_size=4) | st.text() | JSON)
def test_no_conversation_is_more_than_dropped_and_a_usable_one_ends_with_its_label(written: Any) -> None:
    clean = _clean({"messages": written})
    if isinstance(clean, CleanRow):
        assert clean.target and clean.text and json.loads(clean.messages or "")


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        (["prompt", "reply"], "no known one would fit"),
        (["instruction"], "no known one would fit"),
        (["messages", "conversations"], "OpenAI and ShareGPT would fit"),
        (["instruction", "output", "messages"], "OpenAI and Alpaca would fit"),
    ],
)
def test_columns_that_tell_no_format_are_refused_with_the_three_formats(columns: list[str], what: str) -> None:
    with pytest.raises(DataError, match=what) as raised:
        recognise(columns)
    assert raised.value.received == columns
    assert all(name in (raised.value.remedy or "") for name in ("OpenAI", "ShareGPT", "Alpaca", "data.columns"))


def test_the_columns_that_a_source_must_have_follow_from_its_format() -> None:
    data = DataSection.model_validate({"source": "a", "columns": {"group": "author"}, "label_kind": "text"})
    assert data.columns.required == {"author"}
    assert data.required_columns(["instruction", "output", "input"]) == {"author", "instruction", "output"}
    named = DataSection.model_validate({"source": "a", "columns": {"messages": "talk"}, "label_kind": "text"})
    assert named.required_columns(["anything"]) == named.columns.required == {"talk"}
    assert named.columns.by_field == {"messages": {"talk"}}


def test_conversations_have_labels_of_one_kind() -> None:
    with pytest.raises(DataError, match="kind text"):
        Cleaner(DataSection.model_validate({"source": "a"}), ["messages"])


@pytest.mark.parametrize("form", ["jsonl", "json", "parquet", "arrow"])
def test_nested_lists_of_every_form_become_splits(tmp_path: Path, form: str) -> None:
    talks = [
        [{"role": "user", "content": row["text"]}, {"role": "assistant", "content": row["text"][::-1]}]
        for row in lines()
    ]
    planted = [ASKED, [{"role": "robot", "content": "x"}], talks[0]]
    path, rows = tmp_path / f"rows.{form}", [{"messages": talk} for talk in [*talks, *planted]]
    table = pa.Table.from_pylist(rows)
    if form == "parquet":
        pq.write_table(table, path)
    elif form == "arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    else:
        path.write_text("\n".join(map(json.dumps, rows)) if form == "jsonl" else json.dumps(rows))
    data = DataSection.model_validate(
        {"source": path.name, "label_kind": "text", "split": {"by": "random"}, "duplicates": {"near": "together"}}
    )
    write_raw_data([RawSource(fetched(path))], tmp_path / "raw", required_columns=data.columns.required)
    facts = write_cleaned_splits(tmp_path / "raw", tmp_path / "splits", data)
    assert facts["rejected_by_reason"] == {"duplicate": 1, "no final assistant message": 1, "unknown role": 1}
    used = [row for name in SPLITS for row in pq.read_table(tmp_path / "splits" / f"{name}.parquet").to_pylist()]
    assert len(used) == len(talks)
    assert all([*json.loads(row["messages"]), talks[row["row"]][-1]] == talks[row["row"]] for row in used)
    assert all(row["label"] == talks[row["row"]][-1]["content"] and row["pair"] is None for row in used)
    assert not any(find_leaks(tmp_path / "splits").counts.values())
