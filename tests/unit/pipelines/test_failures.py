"""Why a run failed is said in the words of what failed."""

import dagster as dg
import pytest

from luthier.errors import LuthierError
from pipelines.failures import failed_checks, failure_text

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
