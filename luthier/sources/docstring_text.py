"""Docstrings as prose: reStructuredText without its marks, code, tables and directives."""

import re
from itertools import zip_longest

ROLE = re.compile(r":[\w:+.-]+:`[!.]?(?:~[^`]*\.)?~?([^`]*)`")
TITLED_ROLE = re.compile(r":[\w:+.-]+:`([^`<]+?)\s*<[^`>]*>`")
LINK = re.compile(r"`([^`<]+?)\s*<[^`>]*>`_{1,2}")
CITATION = re.compile(r"(\[[\w*#]+\])_")
ESCAPED = re.compile(r"\\([*_`|])")
LITERAL = re.compile(r"``(.+?)``|`([^`]+)`_{0,2}")
STRONG = re.compile(r"(?<![\w*])\*\*?(?=[^\s*])([^*\n]+?)(?<=[^\s*])\*\*?(?![\w*])")
SUBSTITUTION = re.compile(r"(?<!\S)\|(\w+)\|(?!\S)")
DIRECTIVE = re.compile(r"(\s*)\.\. (?:(note|warning|caution|tip|important)::\s*(.*)|.*)")
TABLE = re.compile(r"\s*(?:[=+-][=+ -]{3,}|\|.*\|)\s*$")
ITEM = re.compile(r"\s*(?:[-*+•]|\(?\d{1,2}[.)])\s+")
SENTENCE = re.compile(r".+?(?<!e\.g)(?<!i\.e)(?<!cf)(?<!vs)(?<!etc)[.!?](?=\s+[^a-z]|\s*$)|.+", re.DOTALL)
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{[a-z_]+\}|<<\w+>>")


def prose(text: str) -> str:
    """Paragraphs and list items, a line each; empty when nothing of the text is prose."""
    paragraphs: list[str] = []
    for block in re.split(r"\n\s*\n", _without_directives(text)):
        lines = block.splitlines()
        if any(line.lstrip().startswith(">>>") or TABLE.match(line) for line in lines):
            continue
        if paragraphs and paragraphs[-1].endswith("::") and lines and lines[0][:1].isspace():
            continue
        paragraphs += filter(None, _items(lines))
    return "\n".join(_announcing_something([_unmarked(paragraph) for paragraph in paragraphs]))


def first_sentence(text: str) -> str:
    """The first sentence of one line."""
    return next((match[0] for match in SENTENCE.finditer(text)), "")


def whole_lines(text: str, longest: int) -> str:
    """The start of a text, cut at a line's end when it is longer."""
    return text if len(text) <= longest else text[:longest].rpartition("\n")[0].rstrip()


def first_sentences(text: str, longest: int) -> str:
    """The start of a text, whole sentences of its first line; empty when not even the first fits."""
    ends = [match.end() for match in SENTENCE.finditer(text.partition("\n")[0])]
    fitting = [end for end in ends if end <= longest and text[end - 1] != ":"]
    return text[: fitting[-1]] if fitting else ""


def is_template(text: str) -> bool:
    """Whether a text has gaps that the package fills when it is imported."""
    return PLACEHOLDER.search(text) is not None


def _without_directives(text: str) -> str:
    kept: list[str] = []
    hidden: int | None = None
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if hidden is not None and line.strip() and indent <= hidden:
            hidden = None
        if match := DIRECTIVE.fullmatch(line):
            hidden = None if match[2] else indent
            kept += ["", match[3] or ""]
        elif hidden is None:
            kept.append(line)
    return "\n".join(kept)


def _items(lines: list[str]) -> list[str]:
    """A block's lines joined, but each item of a list by itself."""
    items: list[str] = []
    for line in lines:
        if not items or ITEM.match(line):
            items.append(line.strip())
        else:
            items[-1] = f"{items[-1]} {line.strip()}"
    return items


def _announcing_something(paragraphs: list[str]) -> list[str]:
    """Paragraphs, but the last sentence of one whose colon stands before code or a formula that is gone."""
    kept: list[str] = []
    for paragraph, following in zip_longest(paragraphs, paragraphs[1:], fillvalue=""):
        if paragraph.endswith(":") and not ITEM.match(following):
            sentences = [match[0] for match in SENTENCE.finditer(paragraph)]
            paragraph = "".join(sentences[:-1])
        if paragraph:
            kept.append(paragraph)
    return kept


def _unmarked(text: str) -> str:
    text = CITATION.sub(r"\1", TITLED_ROLE.sub(r"\1", text.replace("\\ ", "")))
    text = LINK.sub(r"\1", ROLE.sub(r"\1", text))
    text = LITERAL.sub(lambda match: match[1] or match[2], text)
    text = SUBSTITUTION.sub(r"\1", STRONG.sub(r"\1", text))
    return " ".join(ESCAPED.sub(r"\1", re.sub(r"::$", ":", text)).split())
