import pickle
import time
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.cleaning import Cleaner, CleanRow, Dropped
from luthier.data.text import normalised
from luthier.errors import DataError
from luthier.recipe.data_section import DataSection

COLUMNS = ["text", "title", "label", "id", "author", "when", "part"]


def _cleaner(columns: dict[str, str] | None = None, cleaning: dict[str, Any] | None = None, **data: Any) -> Cleaner:
    recipe = {
        "source": "rows.csv",
        "columns": {"text": "text", "label": "label", **(columns or {})},
        "cleaning": cleaning or {},
        **data,
    }
    return Cleaner(DataSection.model_validate(recipe), COLUMNS)


def _clean(cleaner: Cleaner, **values: str | None) -> CleanRow | Dropped:
    row = {**dict.fromkeys(COLUMNS), "text": "some text", "label": "1", **values}
    return cleaner.clean(7, {**row, "_file": "rows.csv", "_line": 9})


def _row(cleaner: Cleaner, **values: str | None) -> CleanRow:
    row = _clean(cleaner, **values)
    assert isinstance(row, CleanRow), row
    return row


def _reason(cleaner: Cleaner, **values: str | None) -> tuple[str, str]:
    dropped = _clean(cleaner, **values)
    assert isinstance(dropped, Dropped), dropped
    assert dropped.row == 7
    return dropped.kind, dropped.reason


def test_a_clean_row_says_where_it_comes_from_and_nothing_that_the_recipe_does_not_ask_for() -> None:
    row = _row(_cleaner(), text=" Some\ttext!", id="1", author="Ann", when="2024", part="test")
    assert row == CleanRow(
        row=7,
        file="rows.csv",
        line=9,
        text="Some text!",
        pair=None,
        messages=None,
        key="some text",
        target="1",
        id=None,
        group=None,
        time=None,
        split=None,
        pii={},
    )


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"text": None}, "missing text"),
        ({"text": ""}, "empty text"),
        ({"text": " \t\x00"}, "empty text"),
        ({"text": "<p>&nbsp;</p>"}, "empty text"),
        ({"text": "<b" * 50 + ">" * 50}, "nested markup"),
        ({"label": None}, "missing label"),
        ({"label": " "}, "missing label"),
        ({"label": "2"}, "label not in labels"),
    ],
)
def test_a_bad_row_goes_with_its_reason(values: dict[str, str | None], kind: str) -> None:
    assert _reason(_cleaner(labels=["0", "1"]), **values)[0] == kind


@pytest.mark.parametrize("word", ["NA", "null", "None", "nan", "N/A", "-"])
def test_a_word_means_a_missing_value_only_where_it_is_listed(word: str) -> None:
    assert _row(_cleaner(), text=word).text == word
    assert _row(_cleaner(), label=word).target == word
    listed = _cleaner(cleaning={"missing": [word]}, columns={"id": "id"})
    assert _reason(listed, text=word) == ("missing text", "missing text")
    assert _reason(listed, label=word) == ("missing label", "missing label")
    assert _reason(listed, id=word) == ("missing id", "missing id")
    assert _row(listed, text=f"{word} {word}", id="1").text == f"{word} {word}"


def test_a_text_of_several_columns_needs_one_of_them() -> None:
    cleaner = _cleaner({"text": "{title}: {text}"}, {"missing": ["NA"]})
    assert _row(cleaner, title="One", text="two").text == "One: two"
    assert _row(cleaner, title="NA", text="two").text == ": two"
    assert _reason(cleaner, title="NA", text=None)[0] == "missing text"
    assert _reason(cleaner, title=" ", text="")[0] == "empty text"


def test_repair_and_html_are_done_unless_the_recipe_says_otherwise() -> None:
    text = "<b>caf\xc3\xa9</b> &amp; tea"
    assert _row(_cleaner(), text=text).text == "caf\xe9 & tea"
    assert _row(_cleaner(cleaning={"repair": False, "html": "keep"}), text=text).text == text


def test_too_short_and_too_long_are_told_by_the_clean_text() -> None:
    cleaner = _cleaner(cleaning={"min_characters": 3, "max_characters": 5})
    assert _row(cleaner, text="  a  b ").text == "a b"
    assert _reason(cleaner, text=" ab ") == ("too short", "2 characters, data.cleaning.min_characters is 3")
    assert _reason(cleaner, text="abcdef") == ("too long", "6 characters, data.cleaning.max_characters is 5")
    assert _row(cleaner, text="<b>abcde</b>").text == "abcde"


PERSONAL = "ask joe@example.org or 415-555-2671"


def test_personal_data_is_left_counted_masked_or_rejected() -> None:
    found = {"email": 1, "phone": 1}
    off, counted, hidden = (_row(_cleaner(cleaning={"pii": way}), text=PERSONAL) for way in ("off", "count", "mask"))
    assert (off.text, off.pii) == (PERSONAL, {})
    assert (counted.text, counted.pii) == (PERSONAL, found)
    assert (hidden.text, hidden.pii, hidden.key) == ("ask [EMAIL] or [PHONE]", found, "ask email or phone")
    assert _reason(_cleaner(cleaning={"pii": "reject"}), text=PERSONAL) == ("personal data", "1 email, 1 phone")


def test_a_text_to_be_generated_keeps_its_lines_and_gives_no_personal_data_away() -> None:
    cleaner = _cleaner(cleaning={"pii": "mask"}, label_kind="text")
    row = _row(cleaner, text=PERSONAL, label=" <p>Write\tto</p>joe@example.org \n")
    assert row.target == "Write to\n[EMAIL]"
    assert row.pii == {"email": 2, "phone": 1}
    assert _reason(cleaner, label="<br>")[0] == "missing label"
    assert _reason(_cleaner(cleaning={"pii": "reject"}, label_kind="text"), label=PERSONAL)[0] == "personal data"


def test_ids_and_groups_are_needed_where_they_are_named() -> None:
    cleaner = _cleaner({"id": "id", "group": "author"})
    row = _row(cleaner, id=" a1 ", author="Ann  Lee\n")
    assert (row.id, row.group) == ("a1", "Ann Lee")
    assert _reason(cleaner, id=" ", author="Ann") == ("missing id", "missing id")
    assert _reason(cleaner, id="a1", author=None) == ("missing group", "missing group")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1970-01-02", 86400.0),
        ("1970-01-01T00:01:00", 60.0),
        ("1970-01-01 01:00:00+01:00", 0.0),
        ("1970-01-01T00:00:00.5Z", 0.5),
        ("0001-01-01T00:00:00+14:00", -62135647200.0),
        (" 12.5 ", 12.5),
        ("2024", 2024.0),
    ],
)
def test_a_time_is_seconds_in_utc_or_the_number_itself(written: str, seconds: float) -> None:
    assert _row(_cleaner({"time": "when"}), when=written).time == seconds


def test_a_time_without_an_offset_is_utc_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "America/New_York")
        time.tzset()
        row = _row(_cleaner({"time": "when"}), when="1970-01-01T01:00")
    time.tzset()
    assert row.time == 3600


@pytest.mark.parametrize("written", [None, "", "yesterday", "2024-13-01", "01/02/2024", "nan", "inf"])
def test_a_time_that_cannot_be_read_rejects_the_row(written: str | None) -> None:
    assert _reason(_cleaner({"time": "when"}), when=written)[0] == "time not readable"


@pytest.mark.parametrize(
    ("written", "split"),
    [
        ("train", "train"),
        (" Validation", "validation"),
        ("valid", "validation"),
        ("VAL", "validation"),
        ("dev", "validation"),
        ("test", "test"),
    ],
)
def test_a_split_has_its_usual_names(written: str, split: str) -> None:
    assert _row(_cleaner({"split": "part"}), part=written).split == split


@pytest.mark.parametrize("written", [None, "", "holdout"])
def test_another_split_rejects_the_row(written: str | None) -> None:
    assert _reason(_cleaner({"split": "part"}), part=written)[0] == "split not known"


def test_the_split_that_the_recipe_gives_a_source_counts_before_the_column() -> None:
    row = {**dict.fromkeys(COLUMNS), "text": "a", "label": "1", "part": "train", "_file": "f", "_line": 1}
    for cleaner in (_cleaner(), _cleaner({"split": "part"})):
        clean = cleaner.clean(0, {**row, "_split": "test"})
        assert isinstance(clean, CleanRow) and clean.split == "test"


@given(before=st.text(max_size=20), marked=st.text(min_size=1, max_size=10), after=st.text(max_size=20))
def test_a_span_still_marks_what_it_marked(before: str, marked: str, after: str) -> None:
    start, end = len(before), len(before) + len(marked)
    label = f'[{{"start": {start}, "end": {end}, "label": "x"}}]'
    clean = _clean(_cleaner(label_kind="spans"), text=before + marked + after, label=label)
    if isinstance(clean, Dropped):
        assert clean.kind == "empty text"
        return
    (span,) = clean.target
    found = clean.text[span["start"] : span["end"]]
    assert len(found) == len(marked)
    assert all(new in (old, " ") for old, new in zip(marked, found, strict=True))
    assert not any(unicodedata.category(sign) == "Cc" for sign in clean.text)


def test_a_text_with_spans_is_neither_repaired_nor_stripped() -> None:
    text = " <b>caf\xc3\xa9</b>\t &amp; e\u0301 "
    assert _row(_cleaner(label_kind="spans"), text=text, label="[]").text == text.replace("\t", " ")


@given(st.text(), st.sampled_from(["off", "count", "mask", "reject"]))
def test_no_text_is_more_than_dropped_and_a_clean_one_stays_as_it_is(text: str, pii: str) -> None:
    cleaner = _cleaner(cleaning={"pii": pii})
    clean = _clean(cleaner, text=text)
    if isinstance(clean, CleanRow):
        assert _row(cleaner, text=clean.text).text == clean.text
        assert clean.key == normalised(clean.text)
        assert unicodedata.is_normalized("NFC", clean.text)
        assert not any(unicodedata.category(sign) == "Cc" for sign in clean.text)


@given(st.dictionaries(st.sampled_from(COLUMNS), st.none() | st.text(max_size=8)))
def test_no_row_is_more_than_dropped(values: dict[str, str | None]) -> None:
    cleaner = _cleaner({"id": "id", "group": "author", "time": "when", "split": "part"})
    assert isinstance(_clean(cleaner, **values), CleanRow | Dropped)


def test_a_cleaner_works_in_another_process_as_it_does_here() -> None:
    cleaner = _cleaner({"label": "label > 0", "time": "when"}, {"missing": ["NA"]}, labels=["bad", "good"])
    sent = pickle.loads(pickle.dumps(cleaner))  # noqa: S301
    assert _row(sent, when="1") == _row(cleaner, when="1")
    assert _row(sent, when="1").target == "good"


@pytest.mark.parametrize(
    ("recipe", "what"),
    [
        ({"cleaning": {"min_characters": 10, "max_characters": 9}}, "greater than max_characters"),
        ({"cleaning": {"pii": "mask"}, "label_kind": "spans"}, "masks move the characters"),
        ({"columns": {"group": "autor"}}, "no column 'autor'"),
        ({"columns": {"text": "{titel}"}}, "no column 'titel'"),
        ({"columns": {"label": "labels > 0"}}, "no column 'labels'"),
        ({"labels": ["1", "1 "]}, "different names"),
    ],
)
def test_settings_that_contradict_each_other_or_the_rows_are_refused(recipe: dict[str, Any], what: str) -> None:
    with pytest.raises(DataError, match=what) as raised:
        _cleaner(**recipe)
    assert raised.value.remedy
