"""Texts: what is cleaned away, what is repaired, and when two texts count as the same."""

import html
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from html.entities import html5

import ftfy

from luthier.errors import DataError

PUNCTUATION = frozenset({"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sk"})
BETWEEN = " \n "
INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
# The Unicode property Bidi_Control: marks that reorder what a reader sees.
BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
CONTROLS = re.compile(f"[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f{BIDI}]")
CONTROLS_AND_SPACES = re.compile(rf"[\0-\x1f\x7f-\x9f{BIDI}\s]")

# Of ftfy (Speer, https://ftfy.readthedocs.io) only the repair of decoding is used: quotes, ligatures and wide letters
# are the author's, and no character becomes U+FFFD. UTF-8 that was decoded wrongly shows neighbours beyond ASCII, a C1
# control, or a capital before what was U+00A0; ftfy sees the part between the first and the last, as it is slow.
DECODING = ftfy.TextFixerConfig(replace_lossy_sequences=False, explain=False)
SUSPECT = re.compile("[^\0-\x7f]{2}|[\x80-\x9f]|[\xc2\xc3\xc5\xce\xd0\xd9] ")
UP_TO_LAST_SUSPECT = re.compile(f".*(?:{SUSPECT.pattern})", re.DOTALL)
MOST_ROUNDS = 10

# The elements of HTML and its obsolete ones: any other name in angle brackets, as in vector<int>, is text.
INLINE = (
    "a abbr acronym b bdi bdo big blink cite code data del dfn em font i ins kbd label mark nobr q s samp small span "
    "strike strong sub sup time tt u var wbr"
)
BLOCK = (
    "address applet area article aside audio base basefont blockquote body br button canvas caption center col "
    "colgroup datalist dd details dialog dir div dl dt embed fieldset figcaption figure footer form frame frameset h1 "
    "h2 h3 h4 h5 h6 head header hgroup hr html iframe img input legend li link main map marquee menu meta meter nav "
    "noframes noscript object ol optgroup option output p param picture pre progress script search section select "
    "slot source style summary svg table tbody td template textarea tfoot th thead title tr track ul video"
)
INSTEAD_OF_TAG = dict.fromkeys(INLINE.split(), "") | dict.fromkeys(BLOCK.split(), "\n")
TAG = re.compile(
    r"""<(?:
        /(?P<closing>[A-Za-z][A-Za-z0-9]*)\s*
      | (?P<opening>[A-Za-z][A-Za-z0-9]*)
        (?:[\s/]+(?:[\w:@.-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>][^\s<>]*)|(?:async|checked|compact|controls|defer|
            disabled|hidden|ismap|multiple|nohref|noshade|nowrap|open|readonly|required|selected)(?![\w=-])))*+
        [\s/]*+
      | !doctype\b[^<>]*
      | \?xml\b[^<>]*
    )>""",
    re.VERBOSE | re.IGNORECASE,
)
HIDDEN = re.compile(r"<!--|<(script|style)\b[^<>]*>", re.IGNORECASE)
HIDDEN_ENDS = {
    None: re.compile("-->"),
    "script": re.compile(r"</script\s*>", re.IGNORECASE),
    "style": re.compile(r"</style\s*>", re.IGNORECASE),
}
ENTITY = re.compile(r"&(?:#\d{1,8};|#[xX][0-9a-fA-F]{1,8};|[A-Za-z][A-Za-z0-9]{1,31};)")


def clean_text(text: str) -> str:
    """Unicode NFC, no control characters, white space collapsed; empty when nothing visible is left."""
    if text.isascii():
        return " ".join((text if text.isprintable() else CONTROLS.sub("", text)).split())
    cleaned = " ".join(unicodedata.normalize("NFC", CONTROLS.sub("", text)).split())
    return cleaned if cleaned.strip(INVISIBLE + " ") else ""


def clean_lines(text: str) -> str:
    """As ``clean_text``, line by line; empty lines at both ends go."""
    return "\n".join(map(clean_text, text.splitlines())).strip("\n")


def clean_in_place(text: str) -> str:
    """As ``in_place``; empty when nothing visible is left."""
    cleaned = in_place(text)
    return cleaned if cleaned.strip(INVISIBLE + " ") else ""


def in_place(text: str) -> str:
    """Every control and white-space character as one space: offsets into the text stay right."""
    return CONTROLS_AND_SPACES.sub(" ", text)


def readable(text: str, *, repair: bool, strip: bool, clean: Callable[[str], str] = clean_text) -> str:
    """A text repaired, without markup and clean, until that changes nothing more: so escaped markup goes too.

    Raises DataError for a text that ten rounds do not bring to rest.
    """
    for _ in range(MOST_ROUNDS):
        before = text
        if repair and not text.isascii():
            text = repaired(text)
        if strip and ("<" in text or "&" in text):
            text = without_markup(text)
        text = clean(text)
        if text == before:
            return text
    raise DataError(f"markup nested more than {MOST_ROUNDS} times")


def repaired(text: str) -> str:
    """What was UTF-8, decoded as something else, as it was written."""
    first = SUSPECT.search(text)
    last = first and UP_TO_LAST_SUSPECT.match(text, first.start())
    if not first or not last:
        return text
    start, end = text.rfind(" ", 0, first.start()) + 1, text.find(" ", last.end())
    end = end if end >= 0 else len(text)
    return text[:start] + ftfy.fix_encoding(text[start:end], DECODING) + text[end:]


def without_markup(text: str) -> str:
    """Without comments, scripts, styles and tags, a line break for those of blocks, and entities as characters.

    What stands in a comment or script that is never closed is text, and so is an entity without its semicolon.
    """
    if "<" in text:
        text = TAG.sub(_instead_of_tag, _without_hidden(text))
    return ENTITY.sub(_character, text) if "&" in text else text


def normalised(text: str) -> str:
    """NFKC, casefolded, punctuation and white space as one space; of a text of punctuation only, the clean text."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.translate(_punctuation()).split()) or clean_text(text)


def joined(text: str, pair: str | None) -> str:
    """A text and its pair as one text; alone neither has a line break."""
    return text if pair is None else f"{text}{BETWEEN}{pair}"


def key_of(text: str, pair: str | None = None) -> str:
    """What rows are compared by: the normalised text, or the two of a pair."""
    return joined(normalised(text), None if pair is None else normalised(pair))


def _without_hidden(text: str) -> str:
    kept, end = [], 0
    while start := HIDDEN.search(text, end):
        name = start[1] and start[1].lower()
        stop = HIDDEN_ENDS[name].search(text, start.end())
        if stop is None:
            break
        kept += [text[end : start.start()], " "]
        end = stop.end()
    return "".join([*kept, text[end:]])


def _instead_of_tag(tag: re.Match[str]) -> str:
    written = tag["opening"] or tag["closing"]
    if written is None:
        return "\n"
    # Tags are written in one case: List<Object> is no tag.
    in_one_case = written.islower() or written.isupper()
    return INSTEAD_OF_TAG.get(written.lower(), tag[0]) if in_one_case else tag[0]


def _character(entity: re.Match[str]) -> str:
    return html.unescape(entity[0]) if entity[0][1] == "#" else html5.get(entity[0][1:], entity[0])


@cache
def _punctuation() -> dict[int, str]:
    """Unicode punctuation and modifier signs such as the backtick; symbols (emoji, currencies) carry meaning."""
    spaces = {code: " " for code in range(0x110000) if unicodedata.category(chr(code)) in PUNCTUATION}
    return spaces | dict.fromkeys(map(ord, INVISIBLE), "")
