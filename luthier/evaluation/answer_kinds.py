"""What kind of question is asked, and what kind of answer it has, by English words and by how numbers are written."""

import re
from typing import Final

from luthier.evaluation.wordwise import word_count

NO_ANSWER: Final = "no answer"
OTHER: Final = "other"
LENGTHS: Final = ((1, "1 word"), (2, "2 words"), (5, "3 to 5 words"), (10, "6 to 10 words"))
LONGEST: Final = "11 words or more"

ASKED = re.compile(r"\b(how (?:many|much)|how|who(?:m|se)?|what|which|when|where|why)\b", re.IGNORECASE)
_MONTHS = "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
MONTH = re.compile(rf"\b(?:{_MONTHS}|nov(?:ember)?|dec(?:ember)?)\b", re.IGNORECASE)
DAY = re.compile(r"\b\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b", re.IGNORECASE)
AROUND_A_YEAR = re.compile(
    r"(?:\W|\b(?:in|on|by|since|around|about|the|early|late|mid|from|to|until|and|between|year|c|ad|bc|ce|bce)\b)+"
)
YEARS = re.compile(r"(?:[12]\d{3}s?)+")
NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half|third|quarter|dozen|hundred|thousand|"
    r"million|billion)s?\b",
    re.IGNORECASE,
)
JOINING = re.compile(r"an?|the|of|and|for|in|on|at|to|de[rn]?|von|van|d[ia]|la|le|el|al", re.IGNORECASE)


def question_kind(question: str) -> str:
    """The question word that stands first, such as ``who``; ``other`` where there is none."""
    found = ASKED.search(question)
    if found is None:
        return OTHER
    word = found[1].lower()
    return {"how many": "how many, much", "how much": "how many, much", "whom": "who", "whose": "who"}.get(word, word)


def answer_kind(answer: str | None) -> str:
    """``date``, ``number``, ``name`` (all words but small ones begin with a capital), ``other``; or ``no answer``."""
    if not answer:
        return NO_ANSWER
    if _is_date(answer):
        return "date"
    if NUMBER.search(answer):
        return "number"
    words = [word for word in re.findall(r"\w+", answer) if not JOINING.fullmatch(word)]
    return "name" if words and all(word[0].isupper() for word in words) else OTHER


def answer_length(answer: str | None) -> str:
    """How many words it has, in classes."""
    if not answer:
        return NO_ANSWER
    words = word_count(answer)
    return next((name for most, name in LENGTHS if words <= most), LONGEST)


def _is_date(answer: str) -> bool:
    if DAY.search(answer) or (MONTH.search(answer) and re.search(r"\d", answer)):
        return True
    return YEARS.fullmatch(AROUND_A_YEAR.sub("", answer.lower())) is not None
