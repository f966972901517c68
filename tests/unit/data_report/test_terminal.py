import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from luthier.data_report.report import DataReport
from luthier.data_report.terminal import print_data_report

Make = Callable[..., DataReport]


def printed(report: DataReport, width: int = 80, page: Path | None = None) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_data_report(report, console, page=page)
    return console.file.getvalue()


def test_the_summary_says_what_the_page_says(make_report: Make) -> None:
    text = printed(make_report(), page=Path("folder/report.html"))
    assert "No leak found between 100 rows in three splits." in text
    assert "7 rejected as bad (6.5 %)" in " ".join(text.split())
    assert "No text is longer than max_length 16: truncation loses nothing." in text
    assert text.index("duplicate") < text.index("empty text")
    assert "similarity of 0.750" in text
    assert "Report    folder/report.html" in text


def test_markup_in_texts_is_printed_and_not_obeyed(make_report: Make) -> None:
    marked = "[red]a[/red] [/] :smile:"
    text = printed(make_report((marked, "yes"), text=marked, recipe=marked, rejected_by_reason={marked: 3}), width=200)
    assert text.count(marked) == 5
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [80, 100])
def test_no_line_is_wider_than_the_terminal(make_report: Make, width: int) -> None:
    labels = [f"a label of {number} with a name that does not end soon 映画" for number in range(70)]
    lengths = {"edges": tuple(range(0, 84, 2)), "counts": (10_000_000,) * 41, "longest": 1_234_567, "over": 12}
    report = make_report(labels, text="映画 " * 400, lengths=lengths, leaks={"near": {"train/test": 123456}})
    assert max(cell_len(line) for line in printed(report, width).splitlines()) <= width


def test_twelve_labels_are_shown_and_the_rest_counted(make_report: Make) -> None:
    labels = [f"label-{number:02d}" for number in range(70)]
    text = printed(make_report(labels, balance={s: dict.fromkeys(labels, 1) for s in ("train", "validation", "test")}))
    assert text.count("label-") == 12
    assert "... and 58 more" in text
    assert "more" not in printed(make_report())


def test_a_bin_with_one_text_is_seen_and_an_empty_one_is_blank(make_report: Make) -> None:
    shape = {"edges": (0, 2, 4, 6, 8), "counts": (1, 0, 1000, 500)}
    assert "▁ █▄" in printed(make_report(lengths=shape))
