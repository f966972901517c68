import pytest

from pipelines.launch import covered


@pytest.mark.parametrize(
    ("intervals", "seconds"),
    [
        ([], 0),
        ([(1, 3)], 2),
        ([(1, 3), (2, 5)], 4),
        ([(2, 5), (1, 3), (7, 8)], 5),
        ([(-5, 1), (9, 20)], 2),
        ([(2, 9), (3, 4)], 7),
    ],
)
def test_time_that_intervals_cover_counts_once_and_only_within_the_run(intervals, seconds):
    assert covered(intervals, 0, 10) == seconds
