import os

import pytest

from luthier.data.workers import ROWS_WORTH_WORKERS, in_order
from luthier.errors import DataError


def _tagged(item: int) -> tuple[int, int]:
    return item, os.getpid()


def _fails_at_three(item: int) -> int:
    if item == 3:
        raise DataError("three", received=item, remedy="take another")
    return item


def test_results_come_in_the_order_of_the_items_from_other_processes_when_there_are_many_rows() -> None:
    results = list(in_order(_tagged, range(50), rows=ROWS_WORTH_WORKERS))
    assert [item for item, _ in results] == list(range(50))
    if len(os.sched_getaffinity(0)) > 1:
        assert os.getpid() not in {process for _, process in results}


def test_few_rows_stay_in_this_process() -> None:
    assert {process for _, process in in_order(_tagged, range(5), rows=5)} == {os.getpid()}


@pytest.mark.parametrize("rows", [5, ROWS_WORTH_WORKERS])
def test_an_error_of_a_worker_is_raised_whole(rows: int) -> None:
    with pytest.raises(DataError, match="three") as raised:
        list(in_order(_fails_at_three, range(10), rows=rows))
    assert (raised.value.received, raised.value.remedy) == (3, "take another")


def test_items_are_taken_only_as_fast_as_they_are_worked_on() -> None:
    taken: list[int] = []

    def items():
        for item in range(1000):
            taken.append(item)
            yield item

    results = in_order(_tagged, items(), rows=ROWS_WORTH_WORKERS)
    next(results)
    assert len(taken) <= 3 * len(os.sched_getaffinity(0)) + 1
    results.close()
