import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.text import clean_text, normalised


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
    ],
)
def test_clean_text(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Good movie!", "good   movie", True),
        ("a good-movie...", "A Good Movie", True),
        ("\uff27\uff4f\uff4f\uff44", "good", True),
        ("Stra\xdfe", "STRASSE", True),
        ("\u201cwell\u201d", "`well'", True),
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
