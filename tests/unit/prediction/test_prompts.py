"""Which columns a model is asked about, and that it reads what it was trained on."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest

from luthier.data.cleaning import Cleaner, CleanRow
from luthier.data.input_cleaning import InputCleaning
from luthier.data.unusable import Unusable
from luthier.errors import DataError
from luthier.packaging.serving import rows_of
from luthier.prediction.prompts import ModelInputs, prompt_reader
from luthier.recipe.data_section import DataSection

SINGLE, PAIRS = ModelInputs(["text"], ["text"]), ModelInputs(["text", "pair"], ["text", "pair"])
CHAT = ModelInputs(["text", "messages"], [])


def data(**given) -> DataSection:
    return DataSection.model_validate({"source": "x.csv", **given})


def read(
    section: DataSection, row: dict, inputs: ModelInputs = SINGLE, *, trained: DataSection | None = None, **given
) -> dict:
    """What the model reads of a row that is given to it: by default it was trained on rows of the same section."""
    cleaning = InputCleaning.of_splits((trained or section).model_dump(mode="json"))
    said = prompt_reader(section, list(row), replace(inputs, cleaning=cleaning), **given).read(row)
    (served,) = rows_of(pa.table({name: [value] for name, value in said.items()}), cleaning).to_pylist()
    return {name: served[name] for name in said}


ROW = {"title": "A  &amp; B", "body": "<b>good</b>", "text": "own", "label": "1"}


@pytest.mark.parametrize(
    ("columns", "given", "text"),
    [
        ({"text": "{title}. {body}"}, {}, "A & B. good"),
        ({"text": "body"}, {}, "good"),
        ({"text": "missing"}, {}, "own"),
        ({"text": "body"}, {"text": "title"}, "A & B"),
        ({"text": "body"}, {"text": "{body}: {title}"}, "good: A & B"),
    ],
)
def test_what_is_given_goes_before_the_recipe_and_that_before_the_files_own(columns, given, text):
    assert read(data(columns=columns), ROW, **given) == {"text": text}


@pytest.mark.parametrize(
    "section",
    [
        data(columns={"text": "{title} {body}", "label": "label"}),
        data(columns={"text": "body", "pair": "title", "label": "label"}, cleaning={"pii": "mask", "html": "keep"}),
        data(columns={"text": "body", "label": "label"}, cleaning={"repair": False}),
        data(columns={"text": "body", "label": "tags"}, label_kind="tags"),
        data(columns={"text": "body", "label": "spans"}, label_kind="spans"),
    ],
)
@pytest.mark.parametrize("body", ["write to <i>ann@example.org</i>", "cafÃ©\tau lait", " so so "])
def test_a_raw_row_is_read_as_it_was_for_training(section, body):
    row = {"title": "&lt;one&gt;", "body": body, "label": "1", "spans": "[]", "tags": " ".join("O" * len(body.split()))}
    trained = Cleaner(section, list(row)).clean(0, {**row, "_file": "", "_line": 1})
    assert isinstance(trained, CleanRow)
    expected = {"text": trained.text, **({"pair": trained.pair} if trained.pair else {})}
    assert read(section, row, PAIRS if trained.pair else SINGLE) == expected


def test_a_file_is_cleaned_as_the_model_was_trained_and_not_as_the_recipe_says_by_now():
    kept, stripped = (data(columns={"text": "text"}, cleaning={"html": html}) for html in ("keep", "strip"))
    assert read(stripped, {"text": "<b>a</b>"}, trained=kept) == {"text": "<b>a</b>"}
    assert read(kept, {"text": "<b>a</b>"}, trained=stripped) == {"text": "a"}


def test_a_text_for_a_model_of_conversations_keeps_its_lines():
    assert read(data(label_kind="text"), {"text": "one\n two"}, CHAT) == {"text": "one\ntwo"}


def test_rows_that_training_rejects_for_their_length_are_answered():
    section = data(columns={"text": "body"}, cleaning={"min_characters": 10, "max_characters": 12, "missing": ["NA"]})
    assert read(section, {"body": "short"}) == {"text": "short"}
    assert read(section, {"body": "x" * 50}) == {"text": "x" * 50}
    for empty in ("NA", None, "  ", "<br>"):
        with pytest.raises(Unusable, match="text"):
            read(section, {"body": empty})


def test_pairs():
    section = data(columns={"text": "context", "pair": "question"})
    assert read(section, {"context": "a", "question": "b"}, PAIRS) == {"text": "a", "pair": "b"}
    assert read(section, {"text": "a", "pair": "b"}, PAIRS) == {"text": "a", "pair": "b"}
    assert read(section, {"x": "a", "y": "b"}, PAIRS, text="x", pair="y") == {"text": "a", "pair": "b"}
    assert read(section, {"context": "a", "q": "b"}, PAIRS, pair="q") == {"text": "a", "pair": "b"}
    with pytest.raises(DataError, match="name its column with --pair"):
        read(section, {"text": "a"}, PAIRS)
    with pytest.raises(Unusable, match="missing pair"):
        read(section, {"context": "a", "question": None}, PAIRS)
    with pytest.raises(DataError, match=r"no column 'contxt'(.|\n)*'context' for 'contxt'"):
        read(section, {"context": "a", "question": "b"}, PAIRS, text="contxt")


ASKED = [{"role": "user", "content": "Hi"}]
TOLD = [*ASKED, {"role": "assistant", "content": "Hello"}]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": json.dumps(TOLD)},
        {"messages": json.dumps(ASKED)},
        {"conversations": json.dumps([{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}])},
        {"instruction": "Hi", "output": "Hello"},
        {"instruction": "Hi"},
    ],
)
def test_conversations_lose_the_answer_that_is_asked_for(row):
    section = data(label_kind="text")
    assert json.loads(read(section, row, CHAT)["messages"]) == ASKED
    named = data(label_kind="text", columns={"messages": "chat"})
    assert json.loads(read(named, {"chat": json.dumps(TOLD)}, CHAT)["messages"]) == ASKED
    assert read(named, {"text": "Hi"}, CHAT) == {"text": "Hi"}


def test_a_conversation_in_which_nobody_asks_is_said_to_be_one():
    with pytest.raises(Unusable, match="nobody asks"):
        read(data(label_kind="text"), {"messages": json.dumps(TOLD[1:])}, CHAT)
    with pytest.raises(Unusable, match="no JSON list"):
        read(data(label_kind="text"), {"messages": "{"}, CHAT)
