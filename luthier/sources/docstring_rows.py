"""Rows from docstrings: documents with their summaries, and questions with answers that are spans of a text.

{"name": "numpy.sum", "summary": "Sum of array elements over a given axis.", "document": "Parameters ...", ...}
{"question": "What is the parameter `axis` of numpy.sum?", "context": ..., "answer": ..., "answer_start": 153, ...}
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from docstring_parser import ParseError, parse
from docstring_parser.common import (
    Docstring,
    DocstringMeta,
    DocstringParam,
    DocstringRaises,
    DocstringReturns,
    DocstringStyle,
)

from luthier.sources.docstring_text import first_sentence, first_sentences, is_template, prose, whole_lines
from luthier.sources.public_names import Documented

SHORTEST_DOCUMENT, LONGEST_DOCUMENT = 200, 4000
SHORTEST_SUMMARY, LONGEST_SUMMARY = 20, 200
LONGEST_CONTEXT = 3000
SHORTEST_ANSWER, LONGEST_ANSWER = 15, 300
MOST_QUESTIONS = 8
UNANSWERABLE_OF = 9
SIGNATURE = re.compile(r"[\w.]+\(.*\)(?: ?->.*| ?=.*| --)?")
NAME = re.compile(r"\*{0,2}[A-Za-z]\w*")
GOOGLE = re.compile(r"^(?:Args|Arguments|Returns|Raises):\s*$", re.MULTILINE)
METHODS = re.compile(r"^Methods\n-+\n.*?(?=^\S[^\n]*\n-{3,}\s*$|\Z)", re.MULTILINE | re.DOTALL)
UNDERLINED = re.compile(r"^\s*-{3,}\s*$", re.MULTILINE)
TITLES = {
    "parameter": "Parameters",
    "attribute": "Attributes",
    "return": "Returns",
    "exception": "Raises",
    "note": "Notes",
}
QUESTIONS = {
    "parameter": (
        "What is the parameter `{part}` of {name}?",
        "What does the argument `{part}` of {name} mean?",
        "In {name}, what is `{part}` for?",
        "How is `{part}` described in the documentation of {name}?",
    ),
    "attribute": (
        "What is the attribute `{part}` of {name}?",
        "What does `{part}` of a {name} hold?",
        "How is the attribute `{part}` of {name} described?",
    ),
    "return": ("What does {name} return?", "What is the result of {name}?", "What comes back from {name}?"),
    "exception": (
        "When does {name} raise {part}?",
        "In which case is {part} raised by {name}?",
        "Why would {name} raise {part}?",
    ),
}


@dataclass(frozen=True)
class Part:
    """A described part of an object: a parameter, attribute, return value or exception, and its place in the text."""

    kind: str
    name: str
    description: str
    start: int


@dataclass(frozen=True)
class Page:
    """An object's docstring as prose: the summary, and the text of everything with the parts in it."""

    name: str
    docstring: str
    summary: str
    text: str
    parts: tuple[Part, ...]


def pages(objects: Sequence[Documented]) -> list[Page]:
    """A page for every docstring that says something, the same one once; templates are left out."""
    different = {item.docstring: item for item in reversed(objects) if not is_template(item.docstring)}
    made = (_page(item) for item in sorted(different.values(), key=lambda item: item.name))
    return [page for page in made if page is not None]


def summary_rows(pages: Sequence[Page]) -> Iterator[dict[str, Any]]:
    """Documents of 200 to 4,000 characters without their summary, and the summary."""
    for page in pages:
        document = whole_lines(page.text.removeprefix(page.summary).strip(), LONGEST_DOCUMENT)
        if len(document) >= SHORTEST_DOCUMENT and SHORTEST_SUMMARY <= len(page.summary) <= LONGEST_SUMMARY:
            yield {"name": page.name, "document": document, "summary": page.summary}


def answer_rows(pages: Sequence[Page]) -> Iterator[dict[str, Any]]:
    """Questions about parts; about one in ten is of a parameter that the context does not mention."""
    parameters = sorted({part.name for page in pages for part in page.parts if part.kind == "parameter"})
    for page in pages:
        context = whole_lines(page.text, LONGEST_CONTEXT)
        answers = {part: first_sentences(part.description, LONGEST_ANSWER) for part in page.parts}
        usable = [
            part
            for part, answer in answers.items()
            if len(answer) >= SHORTEST_ANSWER and part.start + len(answer) <= len(context)
        ]
        usable.sort(key=lambda part: _number(page.name, part.kind, part.name))
        chosen = usable[:MOST_QUESTIONS]
        for part in chosen:
            yield _answer_row(page.name, part.kind, part.name, context, answers[part], part.start)
        unanswerable = sum(_number("unanswerable", page.name, part.name) % UNANSWERABLE_OF == 0 for part in chosen)
        for name in islice(_absent(page, parameters), unanswerable):
            yield _answer_row(page.name, "parameter", name, context, "", -1)


def _answer_row(name: str, kind: str, part: str, context: str, answer: str, start: int) -> dict[str, Any]:
    number = _number(name, kind, part)
    wordings = QUESTIONS[kind]
    return {
        "id": f"{number:016x}",
        "name": name,
        "question": wordings[number % len(wordings)].format(name=name, part=part),
        "context": context,
        "answer": answer,
        "answer_start": start,
    }


def _absent(page: Page, names: Sequence[str]) -> Iterator[str]:
    """Names that the docstring does not hold as words."""
    words = set(re.findall(r"\w+", page.docstring))
    start = _number("absent", page.name) % len(names) if names else 0
    return (name for name in (*names[start:], *names[:start]) if name.lstrip("*") not in words)


def _number(*texts: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(texts).encode()).digest()[:8], "big")


def _page(item: Documented) -> Page | None:
    parsed = _parsed(item.docstring)
    lines = prose(parsed.description or "").splitlines() if parsed else []
    while lines and SIGNATURE.fullmatch(lines[0]):
        lines.pop(0)
    if parsed is None or not lines:
        return None
    text, title, parts = "\n".join(lines), "", []
    for kind, name, entry in _entries(parsed):
        description = prose(entry.description or "")
        if not description:
            continue
        if TITLES[kind] != title:
            title = TITLES[kind]
            text += f"\n\n{title}"
        typed = prose(getattr(entry, "type_name", None) or "").replace("\n", " ") if kind != "exception" else ""
        before = " : ".join(filter(None, (name, typed)))
        text += f"\n{before}\n" if before else "\n"
        parts.append(Part(kind, name, description, len(text)))
        text += description
    return Page(item.name, item.docstring, first_sentence(lines[0]), text, _askable(parts))


def _parsed(docstring: str) -> Docstring | None:
    numpydoc = UNDERLINED.search(docstring) or not GOOGLE.search(docstring)
    style = DocstringStyle.NUMPYDOC if numpydoc else DocstringStyle.GOOGLE
    try:
        return parse(METHODS.sub("", docstring), style)
    except ParseError:
        return None


def _entries(parsed: Docstring) -> Iterator[tuple[str, str, DocstringMeta]]:
    """The kind and name of each entry of a section; examples, references and links are none."""
    for entry in parsed.meta:
        if isinstance(entry, DocstringParam):
            yield (
                ("attribute" if entry.args[0] == "attribute" else "parameter"),
                entry.arg_name.replace("\\", ""),
                entry,
            )
        elif isinstance(entry, DocstringReturns) and not entry.is_generator:
            yield "return", entry.return_name or "", entry
        elif isinstance(entry, DocstringRaises) and entry.args[0] == "raises":
            yield "exception", entry.type_name or "", entry
        elif entry.args[0] == "notes":
            yield "note", "", entry


def _askable(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts that a question can mean: one by that name, one return value."""
    asked = Counter((part.kind, part.name if part.kind != "return" else "") for part in parts)
    return tuple(
        part
        for part in parts
        if part.kind in QUESTIONS
        and (asked[part.kind, part.name] == 1 if part.kind != "return" else asked["return", ""] == 1)
        and (part.kind == "return" or NAME.fullmatch(part.name))
    )
