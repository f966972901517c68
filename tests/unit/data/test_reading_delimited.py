import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.data.reading import Rejection, Row, column_names, read_rows


def _read(path: Path, content: str) -> tuple[list[tuple[int, list[str | None]]], list[tuple[int, str]]]:
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    records = list(read_rows(path))
    rows = [(record.line, list(record.values.values())) for record in records if isinstance(record, Row)]
    return rows, [(record.line, record.reason) for record in records if isinstance(record, Rejection)]


def test_two_open_quotes_cost_two_lines_and_do_not_pair_up(tmp_path: Path) -> None:
    rows, rejected = _read(tmp_path / "a.csv", 'text,label\n"open,0\nfine,1\n"open too,0\n"good, too",1\n')
    assert rows == [(3, ["fine", "1"]), (5, ["good, too", "1"])]
    assert rejected == [(2, "a quote that is never closed"), (4, "a quote that is never closed")]


def test_quotes_inside_of_a_line_are_read_leniently(tmp_path: Path) -> None:
    rows, rejected = _read(tmp_path / "a.csv", 'text,label\nsix" long,0\n"a" b,1\n')
    assert (rows, rejected) == ([(2, ['six" long', "0"]), (3, ["a b", "1"])], [])


def test_a_cell_of_a_megabyte_is_read_and_one_that_is_far_longer_costs_its_row(tmp_path: Path) -> None:
    long, too_long = "x" * 1_000_000, "y" * ((1 << 24) + 1)
    rows, rejected = _read(tmp_path / "a.csv", f'text,label\n{long},0\n{too_long},1\n"{long}",2\nlast,3\n')
    assert [(line, values[1]) for line, values in rows] == [(2, "0"), (4, "2"), (5, "3")]
    assert rows[0][1][0] == rows[1][1][0] == long
    assert [(line, reason.partition("(")[0]) for line, reason in rejected] == [(3, "field larger than field limit ")]


def test_lines_that_each_leave_a_quote_open_are_not_read_again_and_again(tmp_path: Path) -> None:
    lines = 5_000
    rows, rejected = _read(tmp_path / "a.csv", "text,label\n" + 'a","b\n' * lines)
    assert len(rows) + len(rejected) == lines


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\nété 😀,1\n".encode(encoding))
    assert column_names(path) == ["text", "label"]
    assert [dict(row.values) for row in read_rows(path) if isinstance(row, Row)] == [{"text": "été 😀", "label": "1"}]


ORANGE = "Category\tText\nd\tstring\nclass\tmeta include=True\n"


def test_orange_rows_follow_three_header_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.tab"
    rows, rejected = _read(path, ORANGE + '\ncomedy\t"two\nlines"\n?\tplain\nragged\n')
    assert rows == [(5, ["comedy", "two\nlines"]), (7, ["?", "plain"])]
    assert rejected == [(8, "1 fields where the header has 2")]
    assert column_names(path) == ["Category", "Text"]


@pytest.mark.parametrize(
    ("content", "names", "line"),
    [
        ("text\nstring\n\nfirst\n", ["text"], 4),
        ("a\tb\n1 2\tc\nclass\t\nx\ty\n", ["a", "b"], 4),
        ("mS#text\tcD#label\tD#c\nx\ty\tz\n", ["text", "label", "c"], 2),
        ("a\tb\nc\td\nplain\trow\n", ["a", "b"], 2),
        ("a\tb\nx\ty\n", ["a", "b"], 2),
        ("C#\tF#\nx\ty\n", ["C#", "F#"], 2),
    ],
)
def test_the_second_and_third_row_tell_orange_from_plain(
    tmp_path: Path, content: str, names: list[str], line: int
) -> None:
    path = tmp_path / "a.tab"
    rows, rejected = _read(path, content)
    assert column_names(path) == names
    assert (rows[0][0], rejected) == (line, [])


CELL = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=30)


@given(st.lists(st.tuples(CELL, CELL), max_size=20))
def test_what_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("text", "label"), *written])
    records = list(read_rows(path))
    assert [tuple(record.values.values()) for record in records if isinstance(record, Row)] == written
    assert len(records) == len(written)
