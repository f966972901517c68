"""Orange's .tab: names, types and flags in three rows, or in one with prefixes as in ``mS#name``.

    Category  Text
    d         string
    class     meta
    comedy    Two gentlemen meet

A .tab file whose second and third rows are no types and flags is plain TSV.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from luthier.data.delimited import Fields, header, rows_of, split_records
from luthier.data.records import Rejection, Row, require_usable_names

TYPES = {"", "c", "d", "s", "t", "continuous", "discrete", "string", "time"}
FLAG = re.compile(r"(c|class|i|ignore|m|meta|w|weight|\S+=\S*|)")
PREFIX = re.compile(r"([cimw]?[CDST]|[cimw])#(?=.)")


def orange_columns(lines: Iterable[str], *, file: str) -> list[str]:
    """The header's names without prefixes."""
    return _header(split_records(lines, delimiter="\t", file=file), file)[0]


def read_orange(lines: Iterable[str], *, file: str) -> Iterator[Row | Rejection]:
    """Records after the one or three rows of the header; blank lines are none."""
    names, records = _header(split_records(lines, delimiter="\t", file=file), file)
    return rows_of(records, names, file=file)


def _header(records: Iterator[Fields | Rejection], file: str) -> tuple[list[str], Iterator[Fields | Rejection]]:
    names = header(records, where=file)
    following = list(islice(records, 2))
    if len(following) == 2 and _describes_columns(*following, width=len(names)):
        return names, records
    names = [PREFIX.sub("", name, count=1) if PREFIX.match(name) else name for name in names]
    require_usable_names(names, where=file)
    return names, chain(following, records)


def _describes_columns(types: Fields | Rejection, flags: Fields | Rejection, *, width: int) -> bool:
    if isinstance(types, Rejection) or isinstance(flags, Rejection) or len(types[1]) > width:
        return False
    kinds = {kind.strip() for kind in types[1]}
    words = [word for cell in flags[1] for word in cell.split()]
    # Instead of a type a discrete column may have its values, separated by spaces.
    known = all(kind in TYPES or (words and " " in kind) for kind in kinds)
    return known and any(kinds & TYPES) and all(FLAG.fullmatch(word) for word in words)
