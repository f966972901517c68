import re
from collections.abc import Callable

import pytest

from luthier.data_report.page import lengths_picture
from luthier.data_report.plots import SHADES, label_balance, length_histogram
from luthier.data_report.report import DataReport

Make = Callable[..., DataReport]


def texts(svg: bytes) -> list[str]:
    return re.findall(r">([^<>]+)</text>", svg.decode())


def test_the_histogram_names_the_limit_within_and_beyond_its_axis() -> None:
    counts, edges = {"train": [1, 2], "validation": [2, 1], "test": [0, 0]}, [0, 10, 20]
    assert "max_length 15" in texts(length_histogram(counts, edges, max_length=15))
    assert "max_length 8,192 →" in texts(length_histogram(counts, edges, max_length=8192))


def test_the_histogram_says_when_its_last_bar_holds_longer_texts(make_report: Make) -> None:
    longer = "tokens a text; the last bar holds all longer texts"
    assert longer in texts(lengths_picture(make_report(lengths={"longest": 900})))
    assert longer not in texts(lengths_picture(make_report()))


@pytest.mark.parametrize("labels", [1, 2, 6, 7, 77])
def test_a_shade_stands_for_one_label_and_no_row_is_left_out(labels: int) -> None:
    counts = {f"l{number:02d}": 100 if number < 3 else 1 for number in range(labels)}
    drawn = texts(label_balance({"train": counts, "test": counts}, form="svg"))
    named = [text for text in drawn if re.fullmatch(r"l\d\d|\d+ more", text)]
    assert len(named) == min(labels, len(SHADES))
    assert (f"{labels - 5} more" in named) == (labels > len(SHADES))
    assert f"train  {sum(counts.values()):,}" in drawn
