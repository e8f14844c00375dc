"""Check both dialects over clock changes, against walks over each minute in many zones from 2024 to 2035."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.workqueue.schedules.patterns import ZONES, Pattern, patterns
from workqueue.schedules.calendar import time_zones
from workqueue.schedules.calendar.expression import parse
from workqueue.schedules.calendar.timetable import Timetable, first_after, latest_between, ticks_between

ANCHOR = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ALL_MINUTES, ALL_HOURS = frozenset(range(60)), frozenset(range(24))
USUAL = (
    Pattern("* * * * *", ALL_MINUTES, ALL_HOURS),
    Pattern("*/5 * * * *", frozenset(range(0, 60, 5)), ALL_HOURS),
    Pattern("0 * * * *", frozenset({0}), ALL_HOURS),
    Pattern("*/15 0-3 * * *", frozenset(range(0, 60, 15)), frozenset(range(4))),
    Pattern("0 0 * * *", frozenset({0}), frozenset({0})),
    Pattern("30 2 * * *", frozenset({30}), frozenset({2})),
    Pattern("0-59/5 0-23 * * *", frozenset(range(0, 60, 5)), ALL_HOURS),
    Pattern("15,45 0-3 * * 0", frozenset({15, 45}), frozenset(range(4)), frozenset({6})),
    Pattern("cron(0/15 * * * ? *)", frozenset(range(0, 60, 15)), ALL_HOURS),
    Pattern("cron(30 0-3 * * ? *)", frozenset({30}), frozenset(range(4))),
)


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """Return the days of clock changes in a zone; one day in each year for a zone without changes."""
    zone = ZoneInfo(name)
    days = [ANCHOR + DAY * n for n in range(12 * 365)]
    found = [day for day in days if (day + DAY).astimezone(zone).utcoffset() != day.astimezone(zone).utcoffset()]
    return tuple(found) or tuple(datetime(year, 6, 15, tzinfo=UTC) for year in range(2024, 2036))


def debian(pattern: Pattern, zone: ZoneInfo, low: datetime, high: datetime) -> Iterator[datetime]:
    """Walk as the loop of Debian's cron does: it wakes each minute, and reads how far the clock has moved.

    reached: the local minute up to which jobs with fixed times have run.
    """
    moment = low - HOUR * 6
    reached = moment.astimezone(zone).replace(tzinfo=None)
    while moment < high:
        moment += MINUTE
        local = moment.astimezone(zone).replace(tzinfo=None)
        ahead = (local - reached) // MINUTE
        if abs(ahead) >= 180:  # a corrected clock: the new time counts at once
            reached = local - MINUTE
            ahead = 1
        if pattern.is_wildcard:
            due = pattern.names(local)
        else:
            due = any(pattern.names(reached + MINUTE * n) for n in range(1, ahead + 1))
        reached = max(reached, local)
        if due and moment > low:
            yield moment


def scheduler(pattern: Pattern, zone: ZoneInfo, low: datetime, high: datetime) -> Iterator[datetime]:
    """Walk as EventBridge Scheduler's documentation says: a skipped time never, a repeated one once."""
    moment = low
    while moment < high:
        moment += MINUTE
        shown = moment.astimezone(zone)
        if not shown.fold and pattern.names(shown.replace(tzinfo=None)):
            yield moment


def walked(pattern: Pattern, zone: str, low: datetime, high: datetime) -> list[datetime]:
    walk = scheduler if pattern.is_aws else debian
    return list(walk(pattern, ZoneInfo(zone), low, high))


def ticks(pattern: Pattern, zone: str, low: datetime, high: datetime) -> list[datetime]:
    return list(ticks_between(Timetable(parse(pattern.text), time_zones.find(zone), ANCHOR), low, high))


@pytest.mark.parametrize("zone", ZONES)
def test_usual_patterns_agree_with_the_walk_at_every_change_of_twelve_years(zone: str) -> None:
    for place, day in enumerate(changes(zone)):
        pattern = USUAL[(place + place // len(USUAL)) % len(USUAL)]  # each in spring and in autumn
        assert ticks(pattern, zone, day, day + DAY) == walked(pattern, zone, day, day + DAY), (pattern.text, day)


@given(patterns(), st.sampled_from(ZONES), st.data())
@settings(max_examples=60)
def test_any_pattern_agrees_with_the_walk_from_any_minute_on(pattern: Pattern, zone: str, data: st.DataObject) -> None:
    low = data.draw(st.sampled_from(changes(zone))) + MINUTE * data.draw(st.integers(-120, 1439))
    high = low + HOUR * 12
    expected = walked(pattern, zone, low, high)
    assert ticks(pattern, zone, low, high) == expected
    table = Timetable(parse(pattern.text), time_zones.find(zone), ANCHOR)
    assert latest_between(table, low, high) == (expected[-1] if expected else None)


@given(patterns(), st.sampled_from(ZONES), st.data())
@settings(max_examples=60)
def test_a_scheduler_that_takes_over_at_any_tick_finds_the_same_ones(
    pattern: Pattern, zone: str, data: st.DataObject
) -> None:
    low = data.draw(st.sampled_from(changes(zone))) + MINUTE * data.draw(st.integers(0, 1439))
    table = Timetable(parse(pattern.text), time_zones.find(zone), ANCHOR)
    found = ticks(pattern, zone, low, low + HOUR * 6)[:60]
    for before, after in pairwise(found):
        assert first_after(table, before) == after
        assert first_after(table, after - timedelta(microseconds=1)) == after


@pytest.mark.parametrize(("text", "minutes"), [("* * * * *", 1), ("*/5 * * * *", 5), ("*/20 * * * *", 20)])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Havana", "Antarctica/Troll", "Africa/Casablanca"])
def test_a_wildcard_neither_pauses_nor_repeats_at_a_clock_change(zone: str, text: str, minutes: int) -> None:
    table = Timetable(parse(text), time_zones.find(zone), ANCHOR)
    for day in changes(zone):
        found = list(ticks_between(table, day, day + DAY))
        assert {b - a for a, b in pairwise(found)} == {MINUTE * minutes}


@pytest.mark.parametrize("zone", ZONES)
def test_daily_runs_once_on_every_day_of_twelve_years(zone: str) -> None:
    table = Timetable(parse("@daily"), time_zones.find(zone), ANCHOR)
    found = list(ticks_between(table, ANCHOR, ANCHOR + DAY * 12 * 365))
    days = [tick.astimezone(ZoneInfo(zone)).date() for tick in found]
    assert days == [days[0] + DAY * n for n in range(len(days))]
    assert len(days) >= 12 * 365 - 1
