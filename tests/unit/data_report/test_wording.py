from collections.abc import Callable

import pytest

from luthier.data_report.report import DataReport
from luthier.data_report.wording import (
    augmentation_sentence,
    rows_sentence,
    share,
    truncation_sentence,
    weights_sentence,
)

Make = Callable[..., DataReport]


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 10, "0.0 %"),
        (1, 8, "12.5 %"),
        (10, 10, "100.0 %"),
        (1, 2000, "0.05 %"),
        (1, 10**9, "<0.001 %"),
        (0, 0, "0.0 %"),
        (9999, 10_000, "99.9 %"),
    ],
)
def test_a_share_that_is_not_none_or_all_never_reads_as_such(part: int, whole: int, said: str) -> None:
    assert share(part, whole) == said


def test_what_truncation_takes_is_summed_over_splits(make_report: Make) -> None:
    assert truncation_sentence(make_report(lengths={"over": 2, "lost": 7})) == (
        "6 of 100 texts (6.0 %) are longer than max_length 16: truncation loses 21 of 1,000 tokens (2.1 %)."
    )
    assert truncation_sentence(make_report(lengths={"over": 2, "lost": 7}, label_kind="answers")) == (
        "6 of 100 texts (6.0 %) are longer than max_length 16: read in overlapping windows, which lose nothing."
    )
    estimated = truncation_sentence(make_report(lengths={"estimated_from": 10}))
    assert estimated == "No text that was measured is longer than max_length 16: truncation loses nothing."


def test_rows_that_were_made_or_not_sampled_are_said(make_report: Make) -> None:
    report = make_report()
    report.rows.update(not_sampled=1200, augmented=40)
    assert rows_sentence(report) == (
        "107 rows read: 100 used, 5 left out because another row says the same, 7 rejected as bad (6.5 %), "
        "1,200 not sampled, and 40 made for training."
    )


def test_augmentation_and_weights_are_said_in_a_line(make_report: Make) -> None:
    augmentation = {"new_rows": 3, "by_kind": {"swap": 1, "delete": 2}, "why": ""}
    facts = make_report(augmentation=augmentation, class_weights={"no": 0.7, "yes": 1.4}).facts
    assert augmentation_sentence(facts) == "3 new training rows: 2 delete, 1 swap"
    assert weights_sentence(facts) == "from 0.7 for no to 1.4 for yes"
    assert weights_sentence(make_report().facts) == "none"
