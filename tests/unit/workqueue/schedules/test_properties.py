"""Check properties of all expressions on random ones, and against another library."""

import re
import warnings
from datetime import UTC, datetime, timedelta
from itertools import islice

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.unit.workqueue.schedules.patterns import ZONES, Pattern, patterns
from workqueue.schedules.calendar import time_zones
from workqueue.schedules.calendar.cron import Cron, local_times
from workqueue.schedules.calendar.expression import parse
from workqueue.schedules.calendar.timetable import (
    Timetable,
    first_after,
    latest_between,
    next_ticks,
    ticks_after,
    ticks_between,
)

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def tables(draw: st.DrawFn) -> Timetable:
    expression = draw(
        st.one_of(patterns().map(lambda pattern: pattern.text), st.integers(1, 5000).map("rate({} minutes)".format))
    )
    start = draw(st.one_of(st.none(), st.integers(0, 10**7).map(lambda s: ANCHOR + timedelta(seconds=s))))
    end = draw(st.one_of(st.none(), st.integers(0, 10**7).map(lambda s: ANCHOR + timedelta(days=60, seconds=s))))
    zone = time_zones.find(draw(st.sampled_from(ZONES)))
    return Timetable(parse(expression), zone, start or ANCHOR, start, end)


moments = st.integers(0, 366 * 86400 * 10).map(lambda tenths: ANCHOR + timedelta(seconds=tenths / 10))


@given(tables(), moments)
@settings(max_examples=200)
def test_ticks_are_whole_seconds_strictly_ascending_and_within_the_bounds(table: Timetable, moment: datetime) -> None:
    ticks = next_ticks(table, moment, 20)
    assert ticks == sorted(set(ticks))
    for tick in ticks:
        assert tick > moment
        assert tick.microsecond == 0
        assert tick.tzinfo is UTC
        assert table.start_at is None or tick >= table.start_at
        assert table.end_at is None or tick <= table.end_at


@given(tables(), moments)
@settings(max_examples=200)
def test_ticks_after_any_tick_equal_the_rest_of_all_ticks(table: Timetable, moment: datetime) -> None:
    """Prove that a scheduler that takes over finds the same ticks."""
    ticks = next_ticks(table, moment, 12)
    for place, tick in enumerate(ticks[:-1]):
        assert first_after(table, tick) == ticks[place + 1]
        assert first_after(table, tick - timedelta(microseconds=1)) == tick
        assert next_ticks(table, tick, 3) == ticks[place + 1 : place + 4] or place + 4 > len(ticks)


@given(tables(), moments, st.integers(0, 3 * 86400))
@settings(max_examples=100)
def test_the_latest_of_a_span_is_the_last_of_all_in_it(table: Timetable, low: datetime, length_s: int) -> None:
    high = low + timedelta(seconds=length_s)
    assert latest_between(table, low, high) == max(ticks_between(table, low, high), default=None)


@given(patterns(), moments)
@settings(max_examples=100)
def test_without_a_change_of_clocks_the_plain_dialect_agrees_with_croniter(pattern: Pattern, moment: datetime) -> None:
    assume(not pattern.is_aws)
    assume(not re.search(r"\b(\d+)-\1/", pattern.text))  # croniter reads such a range as a wildcard
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # croniter uses deprecated names
        from croniter import croniter

        theirs = croniter(pattern.text, moment)
        expected = [theirs.get_next(datetime) for _ in range(10)]
    assert (
        list(islice(ticks_after(Timetable(parse(pattern.text), time_zones.find("UTC"), ANCHOR), moment), 10))
        == expected
    )


@given(patterns())
@settings(max_examples=50)
def test_local_times_have_no_zone_and_no_seconds(pattern: Pattern) -> None:
    rule = parse(pattern.text)
    assert isinstance(rule, Cron)
    for local in islice(local_times(rule, datetime(2026, 2, 27, 23, 59, 30)), 20):  # noqa: DTZ001
        assert local.tzinfo is None
        assert local.second == 0
