import html
import unicodedata

import ftfy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.text import (
    DECODING,
    clean_in_place,
    clean_lines,
    clean_text,
    normalised,
    readable,
    repaired,
    without_markup,
)
from luthier.errors import DataError

BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# What goes wrong in texts, for hypothesis to combine.
MOJIBAKE = ["é", "Ã©", "â€™", "â€\x9d", "Ã", "\x92", "ÐŸ", "\u0301", "\u202e", "ш"]
MARKUP = ["<b>", "</b>", "<br/>", "<p", "<!--", "-->", "<script>", "</script>", "<", ">", "b", '"', "="]
ENTITIES = ["&", "&amp;", "amp;", "&lt;", "&Atilde;&copy;", "&#60;", "&#xd800;"]
SPACES = [" ", "\n", "\xa0", "\u2028", "\0"]
TROUBLE = st.lists(st.sampled_from([*MOJIBAKE, *MARKUP, *ENTITIES, *SPACES]) | st.text(max_size=3), max_size=12).map(
    "".join
)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  a\t b\r\n c ", "a b c"),
        ("no\x00\x07 bell \x08 here", "no bell here"),
        ("e\u0301", "\xe9"),
        ("e\x00\u0301", "\xe9"),
        ("a\u00a0\u2003b", "a b"),
        ("\u200b \ufeff", ""),
        (" \x07 ", ""),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
        ("user\u202egnp.exe\u202c", "usergnp.exe"),
        (
            "\u200f\u0634\u0643\u0631\u0627 \u05e9\u05dc\u05d5\u05dd\u200e",
            "\u0634\u0643\u0631\u0627 \u05e9\u05dc\u05d5\u05dd",
        ),
    ],
)
def test_clean_text(text: str, clean: str) -> None:
    assert clean_text(text) == clean


def test_lines_stay_lines_and_are_cleaned_one_by_one() -> None:
    assert clean_lines("\n\n one \t two\r\n\n\x07three \n \n") == "one two\n\nthree"


@given(st.text())
def test_cleaning_in_place_moves_no_character(text: str) -> None:
    cleaned = clean_in_place(text)
    assert not cleaned or len(cleaned) == len(text)
    for before, after in zip(text, cleaned, strict=False):
        assert after == (" " if before.isspace() or unicodedata.category(before) == "Cc" or before in BIDI else before)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("caf\xc3\xa9", "caf\xe9"),
        ("it\xe2\u20ac\u2122s \xe2\u20ac\u0153good\xe2\u20ac\x9d", "it\u2019s \u201cgood\u201d"),
        ("voil\xc3 le travail", "voil\xe0 le travail"),
        ("it\x92s", "it\u2019s"),
        (
            "\u0420\u045f\u0421\u0402\u0420\u0451\u0420\u0406\u0420\xb5\u0421\u201a",
            "\u041f\u0440\u0438\u0432\u0435\u0442",
        ),
        ("\xf0\u0178\u02dc\u20ac", "\U0001f600"),
    ],
)
def test_text_that_was_decoded_wrongly_is_repaired(written: str, meant: str) -> None:
    assert repaired(f"one two {written} three") == f"one two {meant} three"


@pytest.mark.parametrize(
    "text",
    [
        "naïve café, “quoted” – d’accord…",
        "É ÂNGULO, À Île ÖL ÜBER STRASSE ß",
        "Zoë Łódź Żółw Český příklad",
        "Ёж и медведь, «правда» — да",
        "Ελληνικά עברית العربية",
        "中文，日本語。한국어 Ａﬁ",
        "20 °C ± 5 € ½ × µm ©®™ 👨\u200d👩❤\ufe0f",
    ],
)
def test_what_is_right_is_not_repaired(text: str) -> None:
    assert repaired(text) == text


@given(
    st.text(alphabet="ab \xe9\u201c\u0448\u4e2d\xdf", max_size=30), st.sampled_from(["latin-1", "sloppy-windows-1252"])
)
def test_repairing_a_part_is_repairing_the_whole(text: str, encoding: str) -> None:
    wrong = text.encode().decode(encoding)
    assert repaired(wrong) == ftfy.fix_encoding(wrong, DECODING)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<p>One <b>bold</b> word<br/>and</p><p class='x > y'>more</p>", "One bold word and more"),
        ("un<i>believ</i>able <A HREF=page.html>link</A>", "unbelievable link"),
        ("a<!-- not <b>this</b> --> b", "a b"),
        ("a<script type='x'>if (a < b) { x }</script>b<STYLE>p {}</STYLE> c", "a b c"),
        ("<!DOCTYPE html><html><body>x</body></html>", "x"),
        ("Tom &amp; Jerry &#39;s &eacute; &#x2764; &nbsp; x", "Tom & Jerry 's \xe9 \u2764 x"),
        ("caf&Atilde;&copy;", "caf\xe9"),
        ("&lt;br&gt; &amp;lt;i&amp;gt;twice&amp;lt;/i&amp;gt;", "twice"),
        ("<input disabled> <td nowrap width=5>x", "x"),
    ],
)
def test_markup_goes_and_entities_become_characters(text: str, kept: str) -> None:
    assert readable(text, repair=True, strip=True) == kept


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "if a<b and c>d",
        "I <3 this",
        "x<y>z",
        "List<Object> and Map<String, Integer>",
        "vector<int> v; a <- b; a <= b",
        "<form of address>",
        "<!-- never closed",
        "AT&T, R&D, a&b; ?x=1&copy=2&section=3",
        "&unknown; &notit; &; &#;",
        '<a href="never closed>',
        "mail <joe@example.org>",
    ],
)
def test_what_only_looks_like_markup_stays(text: str) -> None:
    assert readable(text, repair=True, strip=True) == text


def test_markup_stays_when_it_is_not_stripped_and_encoding_when_it_is_not_repaired() -> None:
    assert readable("<b>caf\xc3\xa9</b> &amp;", repair=False, strip=False) == "<b>caf\xc3\xa9</b> &amp;"


def test_blocks_become_lines_where_lines_are_kept() -> None:
    assert readable("<p>one</p><p>two<br>three</p>", repair=True, strip=True, clean=clean_lines) == "one\n\ntwo\nthree"


@given(st.text(alphabet="<>&abp/!- ", max_size=30))
def test_escaped_text_is_read_as_it_was_written(text: str) -> None:
    assert without_markup(html.escape(text)) == text


def test_markup_nested_without_end_is_an_error() -> None:
    with pytest.raises(DataError, match="more than 10 times"):
        readable("<b" * 50 + ">" * 50, repair=True, strip=True)


@given(TROUBLE, st.sampled_from([clean_text, clean_lines]))
def test_what_is_readable_is_nfc_has_no_controls_and_stays_as_it_is(text: str, clean: object) -> None:
    once = readable(text, repair=True, strip=True, clean=clean)
    assert readable(once, repair=True, strip=True, clean=clean) == once
    assert unicodedata.is_normalized("NFC", once)
    assert not any(
        unicodedata.category(sign) == "Cc" for sign in once.replace("\n", "" if clean is clean_lines else "\n")
    )
    assert not BIDI & set(once)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Good movie!", "good   movie", True),
        ("a good-movie...", "A Good Movie", True),
        ("\uff27\uff4f\uff4f\uff44", "good", True),
        ("Stra\xdfe", "STRASSE", True),
        ("\u201cwell\u201d", "`well'", True),
        ("in\xadvisible", "invisible", True),
        ("good", "goods", False),
        ("!!!", "???", False),
        ("\U0001f44d", "\U0001f44e", False),
        ("\u0915\u093f", "\u0915\u0940", False),
    ],
)
def test_normalised(one: str, other: str, same: bool) -> None:
    assert (normalised(one) == normalised(other)) is same


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    clean = clean_text(text)
    assert clean_text(clean) == clean
    assert unicodedata.is_normalized("NFC", clean)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_case_and_spacing_of_what_is_clean_do_not_matter(text: str) -> None:
    clean = clean_text(text)
    assert normalised(clean) == normalised(f"  {clean.replace(' ', '   ')} ") == normalised(normalised(clean))
