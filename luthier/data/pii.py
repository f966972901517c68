"""Personal data in texts, by its form: e-mail addresses, phone and payment-card numbers, keys.

Addresses follow the HTML standard's e-mail input, phone numbers ITU-T E.164, the North American plan and national
numbers that begin with 0, cards ISO/IEC 7812 with Luhn's check digit, keys the forms in the rules of
gitleaks (https://github.com/gitleaks/gitleaks), taken more loosely. Names and streets have no form and are not found.
"""

import re
from collections import Counter
from collections.abc import Callable

KEY = re.compile(
    r"""-----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY(?:[ ]BLOCK)?-----(?:(?!-----).)*+(?:-----END[ ][A-Z ]*KEY(?:[ ]BLOCK)?-----)?
      | (?<![A-Za-z0-9_-])(?:
            (?:AKIA|ASIA)[A-Z0-9]{16}
          | sk-(?=[\w-]*\d)[\w-]{20,}
          | gh[opusr]_[A-Za-z0-9]{36,} | github_pat_\w{50,}
          | hf_[A-Za-z0-9]{30,}
          | AIza[\w-]{35}
          | xox[abprs]-[\w-]{10,}
          | eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*
        )(?![A-Za-z0-9_-])""",
    re.VERBOSE | re.DOTALL,
)

EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]++@(?:[\w-]+\.)+[^\W\d_]{2,}(?!\w)")

SEVEN_DIGITS = re.compile(r"\d(?:[ ().\-/]{0,3}\d){6}")
CARD = re.compile(
    r"(?<!\d)(?<!\d[.,])(?:\d{14,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|\d{4}([ -])\d{6}\2\d{4,5})(?!\d)"
)
# The issuers' prefixes and lengths: Visa, Mastercard, American Express, Diners, JCB, Discover, UnionPay.
ISSUED = re.compile(
    r"4\d{15}(?:\d{3})?|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}|6(?:011|4[4-9]\d|5\d\d)"
    r"\d{12}|62\d{14,17}"
)
PHONE = re.compile(
    r"""(?<![\w$€£¥#%=])(?<!\d[.,:/-])(?:
        (?:\+|00(?=[1-9]\d))(?:[17]|[2-9]\d{1,2})(?:[ ().\-/]{0,3}\d){6,12}
      | (?:1[ .-]?)?(?:\([2-9]\d\d\)[ .-]?[2-9]\d\d[ .-]?|[2-9]\d\d[ .-][2-9]\d\d[ .-])\d{4}
      | (?<!\d[ ])(?=(?:\D{0,2}\d){9})
        (?:\(0[1-9]\d{0,4}\)[ ]? | 0[1-9]\d{1,4}[ /-] | 0[1-9](?=(?:[ .-]\d\d){4}(?![ .-]?\d))[ .-])
        \d{2,8}(?:[ .-]\d{2,8}){0,4}
    )(?![\w%€£]|[.,:/-]\d)""",
    re.VERBOSE,
)
# Digits that have no form of their own are a phone number after a word that says so.
ANNOUNCED = re.compile(
    r"""\b(?P<word>(?:tele)?phone|tel|call|mobile|cell|fax|whatsapp|sms|ring)\b
        (?P<between>\W{1,3}(?:(?:me|us|him|her|number|no|nr|is|at|on|now)\W{1,3}){0,3})
        (?<!\d)\(?\d(?:[ ().-]{0,2}\d){6,12}(?![\w%]|[.,:/-]\d)""",
    re.VERBOSE | re.IGNORECASE,
)


def masked(text: str) -> tuple[str, dict[str, int]]:
    """The text with [EMAIL], [PHONE], [CARD] and [KEY] in place of personal data, and how many of each kind."""
    found: Counter[str] = Counter()
    while (less := _masked_once(text, found)) != text:
        text = less
    return text, dict(found)


def _masked_once(text: str, found: Counter[str]) -> str:
    if _may_hold_key(text):
        text = _replaced(KEY, text, "key", found)
    if "@" in text:
        text = _replaced(EMAIL, text, "email", found)
    if SEVEN_DIGITS.search(text):
        text = _replaced(CARD, text, "card", found, _is_card)
        text = _replaced(PHONE, text, "phone", found)
        text = _replaced(ANNOUNCED, text, "phone", found)
    return text


def _may_hold_key(text: str) -> bool:
    """A test that costs clean rows a tenth of the search; a loop over the marks would cost more than both."""
    in_words = "sk-" in text or "_" in text or "xox" in text or "eyJ" in text
    return in_words or "AKIA" in text or "ASIA" in text or "AIza" in text or "-----BEGIN" in text


def _replaced(
    form: re.Pattern[str], text: str, kind: str, found: Counter[str], is_one: Callable[[str], bool] = bool
) -> str:
    def mask(match: re.Match[str]) -> str:
        if not is_one(match[0]):
            return match[0]
        found[kind] += 1
        kept = match.groupdict()
        return f"{kept.get('word', '')}{kept.get('between', '')}[{kind.upper()}]"

    return form.sub(mask, text)


def _is_card(number: str) -> bool:
    digits = re.sub(r"\D", "", number)
    return ISSUED.fullmatch(digits) is not None and _luhn(digits)


def _luhn(digits: str) -> bool:
    """Luhn's check, ISO/IEC 7812-1 annex B: every second digit from the right doubled, its digits summed."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0
