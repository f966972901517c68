"""Ten thousand bad rows of every kind, the good ones between them, and what must become of each."""

import csv
import hashlib
import io
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.conftest import BAD, GOOD, PLAIN

CSV, JSONL = ("bad.csv",), ("bad.jsonl",)
USED = "used"
HOSTILE = "<x onload=alert(1)>"


@dataclass(frozen=True)
class Row:
    """A good row; what spoils it changes a value, or the line that it is written as."""

    id: str
    stars: str
    text: str

    @classmethod
    def learnable(cls, number: int, chance: random.Random) -> "Row":
        """Stars that follow from the words, and at the end letters that no other row has."""
        positive = number % 2 == 0
        words = chance.sample(PLAIN, 5) + chance.sample(GOOD if positive else BAD, 2)
        chance.shuffle(words)
        name = f"m{number:05d}"
        return cls(name, "4" if positive else "2", " ".join([*words, hashlib.shake_256(name.encode()).hexdigest(15)]))

    def written(self, file: str) -> bytes:
        """The line; a surrogate becomes the byte that it stands for."""
        values = {"id": self.id, "stars": self.stars, "text": self.text}
        if file == "bad.jsonl":
            line = json.dumps(values, ensure_ascii=False)
        else:
            buffer = io.StringIO()
            csv.writer(buffer).writerow(values.values())
            line = buffer.getvalue().removesuffix("\r\n")
        return f"{line}\n".encode(errors="surrogateescape")


@dataclass(frozen=True)
class Kind:
    """A kind of row. ``becomes`` is USED or the kind of reason.

    In ``cell`` and ``text``, what is written and what is used of it, {} is the good text and {word} a very long word
    made of it. ``copy`` takes the row and an earlier one of kind ``of``, ``line`` the bytes with their line end.
    """

    name: str
    becomes: str
    cell: str = "{}"
    text: str = "{}"
    stars: str | None = None
    copy: Callable[[Row, Row], Row] | None = None
    of: str = "plain"
    line: Callable[[bytes], bytes] | None = None
    files: tuple[str, ...] = CSV + JSONL
    rows: int = 180


def without_end(line: bytes) -> bytes:
    return line.removesuffix(b"\n")


def only_id(pattern: bytes) -> Callable[[bytes], bytes]:
    """The line replaced by another, with the row's id in it."""
    return lambda line: pattern % re.findall(rb"m\d{5}", line)[0]


def all_quoted(line: bytes) -> bytes:
    return b'"' + without_end(line).replace(b",", b'","') + b'"\n'


def with_stars(value: bytes) -> Callable[[bytes], bytes]:
    """The JSON line with another value of stars; \\1 is the one there."""
    return lambda line: re.sub(rb'"([24])"', value, line)


def with_text(value: bytes) -> Callable[[bytes], bytes]:
    """The JSON line with another value of text."""
    return lambda line: re.sub(rb'"text": ".*"', b'"text": ' + value, line)


def contradiction(row: Row, earlier: Row) -> Row:
    return Row(row.id, "2" if earlier.stars == "4" else "4", earlier.text)


KINDS = [
    Kind("plain", USED, rows=300),
    # Markup and scripts: gone, and the rest is used.
    Kind("tags", USED, cell="<div class='a'><p>{}</p><br/></div>"),
    Kind("a script", USED, cell="<script type='x'>alert('good awful')</script>{}"),
    Kind("a script in capitals around a comment", USED, cell="{}<SCRIPT>alert(1)<!-- </SCRIPT>"),
    Kind("a script that is never closed", USED, cell="<script>alert(1) {}", text="alert(1) {}"),
    Kind("an image with an event", USED, cell='{}<img src=x onerror="alert(1)">'),
    Kind("a drawing with an event", USED, cell="<svg/onload=alert(1)>{}"),
    Kind("escaped markup", USED, cell="&lt;b&gt;{}&lt;/b&gt;&nbsp;"),
    Kind("markup escaped twice", USED, cell="&amp;lt;i onclick=alert(1)&amp;gt;{}"),
    Kind("a tag that HTML does not know", USED, cell=HOSTILE + "{}", text=HOSTILE + "{}"),
    Kind("markup only", "empty text", cell="<p><br></p><script>{}</script>"),
    # Characters.
    Kind("right-to-left marks", USED, cell="\u202e\u2067{}\u200f\u2069\u061c"),
    Kind("right-to-left letters", USED, cell="שלום \u200f{}", text="שלום {}"),
    Kind("control characters", USED, cell="\x1b\x07{}\x7f\x9d"),
    Kind("line separators of Unicode", USED, cell="\u2028{}\u2029\x0b\x0c"),
    Kind("line breaks in the cell", USED, cell="so\r\n{}\n", text="so {}"),
    Kind("a cell that starts with a comma", USED, cell=", {}", text=", {}"),
    Kind("quotes and commas", USED, cell='"{}", "so"', text='"{}", "so"'),
    Kind("emoji", USED, cell="👩‍🚀🎬 {} 😀", text="👩‍🚀🎬 {} 😀"),
    Kind("UTF-8 that was decoded as Latin-1", USED, cell="cafÃ© {}", text="café {}"),
    Kind("a formula", USED, cell="=cmd|' /C calc'!A0 {}", text="=cmd|' /C calc'!A0 {}"),
    Kind("a formula with a sign", USED, cell="@SUM(1+1)*{}", text="@SUM(1+1)*{}"),
    Kind("text that says NULL", USED, cell="NULL {} nan", text="NULL {} nan"),
    Kind("bytes of Latin-1", "undecodable text", cell="caf\udce9 {}"),
    Kind("UTF-8 that is cut off", "undecodable text", cell="{}\udcf0\udc9f\udc98"),
    Kind("UTF-8 that is longer than it need be", "undecodable text", cell="\udcc0\udcaf{}"),
    Kind("a NUL byte", "NUL byte", cell="{}\0"),
    Kind("NUL bytes without an escape", "NUL byte", line=lambda line: line.replace(b"m", b"m\0\0"), files=JSONL),
    Kind("a line of UTF-16", "NUL byte", line=lambda line: without_end(line).decode().encode("utf-16-le") + b"\n"),
    # Sizes.
    Kind("a word without end", USED, cell="{word}", text="{word}", rows=12),
    Kind("a word of 1 MB", "too long", cell="{word}" * 20, rows=4),
    Kind("a cell of 1 MB", "too long", cell="{} " * 20_000, rows=4),
    Kind("no text", "empty text", cell=""),
    Kind("spaces for a text", "empty text", cell=" \t\u00a0\u3000 "),
    Kind("nothing that can be seen", "empty text", cell="\u200b\u200d\ufeff\u2060\u202e"),
    Kind("null for a text", "missing text", line=with_text(b"null"), files=JSONL),
    Kind("no key for the text", "missing text", line=lambda line: line.replace(b'"text"', b'"txt"'), files=JSONL),
    # Labels.
    Kind("a label that is none of them", "label not in labels", stars="7"),
    Kind("a label of another size", "label not in labels", stars="1e300"),
    Kind("a label that is no number", "label not computable", stars="many"),
    Kind("a label of markup", "label not computable", stars="<script>alert(1)</script>"),
    Kind("a label that is not finite", "label not computable", stars="nan"),
    Kind("a label that is too large", "label not computable", stars="1e999"),
    Kind("no label", "missing label", stars=""),
    Kind("spaces for a label", "missing label", stars="  "),
    Kind("null for a label", "missing label", line=with_stars(b"null"), files=JSONL),
    Kind("a truth value for a label", "label not computable", line=with_stars(b"true"), files=JSONL),
    Kind("a number for a label", USED, line=with_stars(rb"\1.0"), files=JSONL),
    # Rows that say what others say.
    Kind("an id twice", "repeated id", copy=lambda row, old: replace(row, id=old.id)),
    Kind("no id", "missing id", copy=lambda row, old: replace(row, id=" ")),
    Kind("the same again", "duplicate", copy=lambda row, old: replace(old, id=row.id)),
    Kind("nearly the same", "near-duplicate", cell="{} ab", copy=lambda row, old: replace(old, id=row.id), files=JSONL),
    Kind("the same, loud", "duplicate", copy=lambda row, old: Row(row.id, old.stars, old.text.upper() + "!!")),
    Kind("contradicted", "conflicting labels", cell=HOSTILE + "{}", files=CSV),
    Kind("contradicts", "conflicting labels", cell=HOSTILE + "{}", copy=contradiction, of="contradicted", files=JSONL),
    # Lines.
    Kind("a line that ends as on Windows", USED, line=lambda line: without_end(line) + b"\r\n"),
    Kind("a line that ends as on an old Mac", USED, line=lambda line: without_end(line) + b"\r", files=CSV),
    Kind("quotes around all cells", USED, line=all_quoted, files=CSV),
    Kind("a field too many", "wrong number of fields", line=lambda line: without_end(line) + b",more\n", files=CSV),
    Kind("a field too few", "wrong number of fields", line=lambda line: line.rpartition(b",")[0] + b"\n", files=CSV),
    Kind("one field", "wrong number of fields", line=only_id(b"%s\n"), files=CSV),
    Kind("a thousand fields", "wrong number of fields", line=only_id(b"%s" + b"," * 999 + b"\n"), files=CSV),
    Kind("an open quote", "a quote that is never closed", line=only_id(b'%s,4,"good film\n'), files=CSV),
    Kind("an open quote for an id", "a quote that is never closed", line=only_id(b'"%s,4,good film\n'), files=CSV),
    Kind("JSON that is cut off", "broken JSON", line=lambda line: line[:20] + b"\n", files=JSONL),
    Kind("JSON without quotes", "broken JSON", line=only_id(b"{id: %s, stars: 4}\n"), files=JSONL),
    Kind("JSON with a comma too many", "broken JSON", line=only_id(b'{"id": "%s", "stars": 4,}\n'), files=JSONL),
    Kind("two objects in a line", "broken JSON", line=lambda line: without_end(line) + b"\r" + line, files=JSONL),
    Kind("a raw tab in JSON", "broken JSON", line=only_id(b'{"id": "%s\t"}\n'), files=JSONL),
    Kind("a number without end", "broken JSON", line=only_id(b'["%s", ' + b"9" * 5000 + b"]\n"), files=JSONL, rows=20),
    Kind("brackets without end", "broken JSON", line=only_id(b'["%s"' + b", [" * 100_000 + b"\n"), files=JSONL, rows=4),
    Kind("a list", "not a JSON object", line=only_id(b'["%s", 4, "good film"]\n'), files=JSONL),
    Kind("a text", "not a JSON object", line=only_id(b'"%s"\n'), files=JSONL),
    Kind("a surrogate by itself", "undecodable text", line=with_text(rb'"\\ud83d good"'), files=JSONL),
    Kind("a NUL escape in a key", "NUL byte", line=lambda line: line.replace(b'"text"', rb'"te\u0000xt"'), files=JSONL),
]  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """A row in a file, and what is written there."""

    kind: Kind
    file: str
    line: int
    row: Row

    @property
    def text(self) -> str:
        """What is used of the text."""
        return filled(self.kind.text, self.row.text)

    @property
    def label(self) -> str:
        return {"2": "bad", "4": "good"}[self.row.stars]


def filled(pattern: str, text: str) -> str:
    word = text.replace(" ", "") * 1000 if "{word}" in pattern else ""
    return pattern.format(*[text] * pattern.count("{}"), word=word)


class Planter:
    """Writes rows of all kinds in a random order, the same ones each time."""

    def __init__(self) -> None:
        self.chance = random.Random(5)
        self.planted: list[Planted] = []
        self.by_kind: dict[str, list[Row]] = defaultdict(list)

    def write(self, folder: Path) -> list[Planted]:
        for file, header, line_end in (
            ("bad.csv", b"\xef\xbb\xbfid,stars,text\n", rb"\r\n?|\n"),
            ("bad.jsonl", b"", b"\n"),
        ):
            content, line = [header], 1 + header.count(b"\n")
            for kind in self._kinds(file):
                content.append(self._row(kind, file, line))
                line += len(re.findall(line_end, content[-1]))
            (folder / file).write_bytes(b"".join(content))
        return self.planted

    def _kinds(self, file: str) -> list[Kind]:
        kinds = [kind for kind in KINDS if file in kind.files for _ in range(kind.rows // len(kind.files))]
        self.chance.shuffle(kinds)
        # The first row is one that others can repeat.
        return [KINDS[0], *kinds]

    def _row(self, kind: Kind, file: str, line: int) -> bytes:
        row = Row.learnable(len(self.planted), self.chance)
        if kind.copy:
            earlier = self.by_kind[kind.of]
            row = kind.copy(row, earlier[len(self.by_kind[kind.name]) % len(earlier)])
        self.by_kind[kind.name].append(row)
        self.planted.append(Planted(kind, file, line, row))
        stars = row.stars if kind.stars is None else kind.stars
        written = replace(row, stars=stars, text=filled(kind.cell, row.text)).written(file)
        return kind.line(written) if kind.line else written
