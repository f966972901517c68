"""Cron texts: what is refused and why; whatever is accepted, Dagster accepts, and it comes."""

from datetime import UTC, datetime

import pytest
from dagster._utils.schedules import cron_string_iterator, is_valid_cron_string
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.recipe.cron import FIELDS, NICKNAMES, CronField, cron_mistake


def spans(field: CronField) -> st.SearchStrategy[str]:
    """Texts that look like a part of the field, most of them valid."""
    number = st.integers(field.low, field.high + 1).map(str)
    name = st.sampled_from(field.names) if field.names else number
    single = number | name
    span = st.just("*") | single | st.tuples(single, single).map("-".join)
    return span | st.tuples(span, st.integers(0, field.high + 1).map(str)).map("/".join)


def texts() -> st.SearchStrategy[str]:
    fields = [st.one_of(st.just("*"), st.lists(spans(field), min_size=1, max_size=2).map(",".join)) for field in FIELDS]
    return st.tuples(*fields).map(" ".join)


@settings(max_examples=1500, deadline=None)
@given(texts() | st.sampled_from(NICKNAMES))
def test_whatever_is_accepted_dagster_accepts_and_it_comes(text: str) -> None:
    if cron_mistake(text) is not None:
        return
    assert is_valid_cron_string(text)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert next(cron_string_iterator(start.timestamp(), text, "UTC")) >= start


@pytest.mark.parametrize(
    "text",
    ["0 3 * * 1", "*/15 * * * *", "0 9-17/2 * * mon-fri", "0 0 29 2 *", "5,35 0 1 jan,jul *", "0 0 * * 7", "@daily"],
)
def test_usual_texts_are_accepted(text: str) -> None:
    assert cron_mistake(text) is None


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("0 25 * * 1", "the hour 25 is not between 0 and 23"),
        ("60 3 * * 1", "the minute 60 is not between 0 and 59"),
        ("0 3 * * lundi", "the weekday 'lundi' is no number and no name such as mon"),
        ("0 3 30 2 *", "no such day is in such a month"),
        ("0 3 31 4,6 *", "no such day is in such a month"),
        ("0 17-9 * * *", "the hour '17-9' runs backwards"),
        ("*/0 * * * *", "the step '0' of the minute is not between 1 and 59"),
        ("5/10 * * * *", "the minute '5/10' has a step, and nothing such as * or 1-5 to step through"),
        ("0 3 * *", "it has 4 fields"),
        ("* * * * * *", "it has 6 fields"),
        ("", "it has 0 fields"),
        ("@reboot", "it has 1 field,"),
        ("0 3 * * 1,", "the weekday '' is no number"),
        ("-1 3 * * *", "the minute '' is no number"),
    ],
)
def test_a_mistake_is_named(text: str, mistake: str) -> None:
    assert mistake in str(cron_mistake(text))
