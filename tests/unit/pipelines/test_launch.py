import dagster as dg
import pytest

from luthier.errors import LuthierError
from pipelines.launch import covered, failed_checks, failure_text


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


CHECK = dg.AssetCheckSpec("whole", asset="made", blocking=True)


@dg.asset(check_specs=[CHECK])
def made():
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False, description="half of it is missing")])


@dg.asset
def mistaken():
    raise dg.Failure("no such file", allow_retries=False) from LuthierError("no such file")


@dg.asset
def broken():
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise RuntimeError("outer") from error


@pytest.mark.parametrize(
    ("asset", "text"),
    [
        (made, "made: check whole: half of it is missing"),
        (mistaken, "mistaken: no such file"),
        (broken, "broken: KeyError: 'inner'"),
    ],
)
def test_why_a_step_failed_is_said_in_its_own_words(asset, text):
    with dg.DagsterInstance.ephemeral() as instance:
        events = dg.materialize([asset], instance=instance, raise_on_error=False).all_events
    (failed,) = [event for event in events if event.is_step_failure]
    assert failure_text(failed, failed_checks(events)) == text
