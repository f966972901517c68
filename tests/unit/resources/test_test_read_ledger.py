from dataclasses import replace
from pathlib import Path

import pytest

from luthier.evaluation.test_reads import NEVER_READ, Reading
from resources.test_read_ledger import TestReadLedger

FIRST = Reading("reviews", "adapter-1", "lora", 17, "accuracy", "2026-03-02T10:00:00+00:00")
SECOND = replace(FIRST, adapter="adapter-2", at="2026-03-02T11:00:00+00:00")


@pytest.fixture
def ledger(tmp_path: Path) -> TestReadLedger:
    return TestReadLedger(str(tmp_path), "rows")


def test_every_model_that_was_evaluated_on_the_split_counts_whichever_recipe_it_is_of(ledger: TestReadLedger) -> None:
    assert ledger.begin("one", FIRST).number == 1
    ledger.end("one", 0.8)
    other = replace(SECOND, recipe="reviews-full")
    reads = ledger.begin("two", other)
    assert reads.number == 2
    assert reads.readings == (replace(FIRST, value=0.8), other)


def test_a_reading_that_broke_off_counts_and_its_second_try_does_not_count_again(ledger: TestReadLedger) -> None:
    ledger.begin("one", FIRST)
    ledger.begin("one", replace(FIRST, at="2026-03-02T10:30:00+00:00"))
    assert ledger.begin("two", SECOND).number == 2


def test_this_reading_is_the_last_whatever_the_clock_says(ledger: TestReadLedger) -> None:
    ledger.begin("late", SECOND)
    assert ledger.begin("early", FIRST).readings[-1] == FIRST


def test_another_split_has_a_count_of_its_own(ledger: TestReadLedger) -> None:
    ledger.begin("one", FIRST)
    assert TestReadLedger(ledger.home, "others").begin("one", FIRST).number == 1


def test_a_reading_is_known_before_the_rows_are_read(ledger: TestReadLedger) -> None:
    ledger.begin("one", FIRST)
    assert [path.name for path in ledger.folder.iterdir()] == ["one.json"]


@pytest.mark.parametrize("readings", [1, 2, 5, 40])
def test_all_intervals_together_keep_the_confidence(ledger: TestReadLedger, readings: int) -> None:
    for number in range(readings):
        reads = ledger.begin(str(number), replace(FIRST, at=f"2026-03-02T10:{number:02d}:00+00:00"))
    assert readings * (1 - reads.corrected(0.95)) == pytest.approx(0.05)


def test_the_first_reading_corrects_nothing() -> None:
    assert NEVER_READ.corrected(0.9) == pytest.approx(0.9)
