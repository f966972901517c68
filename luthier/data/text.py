"""Texts: what is cleaned away, and when two texts count as the same."""

import unicodedata
from functools import cache

PUNCTUATION = frozenset({"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sk"})
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"


def clean_text(text: str) -> str:
    """Unicode NFC, without control characters, white space collapsed; empty when nothing visible is left."""
    kept = text.translate(_controls())
    cleaned = " ".join(unicodedata.normalize("NFC", kept).split())
    return cleaned if cleaned.strip(INVISIBLE + " ") else ""


def normalised(text: str) -> str:
    """NFKC, casefolded, punctuation and white space as one space; of a text of punctuation only, the clean text."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.translate(_punctuation()).split()) or clean_text(text)


@cache
def _controls() -> dict[int, str]:
    return {code: "" for code in (*range(0x20), *range(0x7F, 0xA0)) if not chr(code).isspace()}


@cache
def _punctuation() -> dict[int, str]:
    """Unicode punctuation and modifier signs such as the backtick; symbols (emoji, currencies) carry meaning."""
    spaces = {code: " " for code in range(0x110000) if unicodedata.category(chr(code)) in PUNCTUATION}
    return spaces | dict.fromkeys(map(ord, INVISIBLE), "")
