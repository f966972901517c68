import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.pii import masked

EMAILS = [
    "joe.bloggs+x@mail.example.co.uk",
    "O_B-1@example.org",
    "m\xfcller@b\xfccher.de",
    "a%b@x-y.io",
]
PHONES = [
    "+1 415 555 2671",
    "+14155552671",
    "(415) 555-2671",
    "415-555-2671",
    "415.555.2671",
    "1-800-555-0199",
    "+44 20 7946 0958",
    "+44 (0)20 7946 0958",
    "020 7946 0958",
    "07911 123456",
    "0171-1234567",
    "089/12345678",
    "(030) 1234567",
    "06 12 34 56 78",
    "06.12.34.56.78",
    "0049 171 1234567",
    "+91 98765 43210",
]
CARDS = [
    "4111 1111 1111 1111",
    "4111111111111111",
    "5500-0000-0000-0004",
    "3782 822463 10005",
    "378282246310005",
    "6011111111111117",
    "30569309025904",
]
KEYS = [
    "AKIAIOSFODNN7EXAMPLE",
    "sk-proj-abc123def456ghi789jkl0",
    "ghp_" + "a1" * 18,
    "hf_" + "abcDEF" * 6,
    "xoxb-1234567890-abc",
    "AIza" + "b2_-x" * 7,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.abc-_123",
    "-----BEGIN RSA PRIVATE KEY----- MIIEabc/+= -----END RSA PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----",
]
FOUND = [
    (kind, data)
    for kind, all_of in zip(["email", "phone", "card", "key"], [EMAILS, PHONES, CARDS, KEYS], strict=True)
    for data in all_of
]
NONE = [
    "in 1999-2004, 2010/2011 and 1999 2000 2001 2002",
    "$1,234,567.89 or \u20ac 1234567 or 1.234.567,89 \u20ac",
    "ISBN 978-3-16-148410-0, 0-306-40615-2, 0306406152, 9780306406157 and 978 0 306 40615 7",
    "10:30:45 and 2024-01-02T10:30:45Z",
    "01-02-2024, 01.02.2024 10:30, 01/02/2024 12:45:10, 02.01.2024 1015, 01-02-2024 1030 45",
    "2019-12-31 2020-12-31 20200101 20200202",
    "version 1.23.456.7890, v10.0.19041.1234",
    "192.168.100.100 and 8.8.8.8",
    "1700000000 seconds, order 4432219876, ticket 12345678901",
    "3.14159265358979 and 0.4111111111111111",
    "1,000,000,000 or 100 000 000 000",
    "4111 1111 1111 1112 fails Luhn's check, no card begins as 1234567812345670",
    "won 21-14 21-19 21-17, +5 2019-2020",
    "007 2012 2015 and 00 01 02 03 04 05 06",
    "zip 12345-6789, part 12-415-555-2671, pages 123-4567, 1920x1080",
    "tracking 9400110200881234567890",
    "GPS 40.7128, -74.0060, doi 10.1000/182.5551234",
    "call of duty 2, call 1999",
    "@user said a@b and x @ y.com",
    "sk-learn-is-a-very-long-name-of-a-thing",
    "-----BEGIN CERTIFICATE-----",
    "a [EMAIL] and a [PHONE]",
]


@pytest.mark.parametrize(("kind", "data"), FOUND)
@pytest.mark.parametrize("around", ["{}", "so it is {}, ok.", "({})", "<{}>"])
def test_personal_data_is_found_and_masked(kind: str, data: str, around: str) -> None:
    assert masked(around.format(data)) == (around.format(f"[{kind.upper()}]"), {kind: 1})


@pytest.mark.parametrize("text", ["call me at 5551234567", "Tel.: 01761234567", "my phone number is 555-1234"])
def test_digits_that_a_word_announces_are_a_phone_number(text: str) -> None:
    less, found = masked(text)
    assert found == {"phone": 1}
    assert less == text[: text.index(next(filter(str.isdigit, text)))] + "[PHONE]"


@pytest.mark.parametrize("text", NONE)
def test_numbers_and_names_that_are_not_personal_stay(text: str) -> None:
    assert masked(text) == (text, {})


def test_kinds_are_counted() -> None:
    text, found = masked("a@b.org, c@d.net; 4111 1111 1111 1111 or 415-555-2671 or 415-555-2672")
    assert text == "[EMAIL], [EMAIL]; [CARD] or [PHONE] or [PHONE]"
    assert found == {"email": 2, "card": 1, "phone": 2}


PIECES = st.sampled_from(
    [data for _, data in FOUND] + ["@", ".", "-", " ", "+", "0", "12", "call ", "a", "\u0664", "("]
)


@given(st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join))
def test_a_masked_text_has_no_personal_data_left(text: str) -> None:
    less, found = masked(text)
    assert masked(less) == (less, {})
    assert (less == text) == (not found)


@given(st.sampled_from(FOUND), st.lists(st.sampled_from(["word", "it's", "a,", "end."]), max_size=5).map(" ".join))
def test_personal_data_among_words_is_gone(found: tuple[str, str], words: str) -> None:
    assert masked(f"{words} {found[1]} {words}")[0] == f"{words} [{found[0].upper()}] {words}"
