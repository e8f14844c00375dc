"""What holds for every expression: seen against a walk over every minute, and against two other libraries."""

import re
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from workqueue.schedules import zones
from workqueue.schedules.cron import Cron, local_times
from workqueue.schedules.expression import parse
from workqueue.schedules.timetable import Timetable, after, between, first_after, latest, preview

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
# Around each change of a clock in 2026, and a quiet day.
DAYS = ("2026-03-08", "2026-03-29", "2026-04-04", "2026-10-03", "2026-10-25", "2026-11-01", "2026-06-15")

Field = tuple[str, frozenset[int]]


@st.composite
def field(draw: st.DrawFn, low: int, high: int) -> Field:
    """A field as text, and what it means, made together: nothing here parses."""
    kind = draw(st.sampled_from(("all", "step", "range", "list")))
    first, last = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
    step = draw(st.integers(1, 30))
    if kind == "all":
        return "*", frozenset(range(low, high + 1))
    if kind == "step":
        return f"*/{step}", frozenset(range(low, high + 1, step))
    if kind == "range":
        return f"{first}-{last}/{step}", frozenset(range(first, last + 1, step))
    values = draw(st.sets(st.integers(low, high), min_size=1, max_size=4))
    return ",".join(map(str, sorted(values))), frozenset(values)


@st.composite
def crons(draw: st.DrawFn) -> tuple[str, frozenset[int], frozenset[int], frozenset[int] | None]:
    """An expression, plain or AWS's, with its minutes, its hours and its weekdays (Monday is 0), or None for all."""
    minute, minutes = draw(field(0, 59))
    hour, hours = draw(st.one_of(st.just(("*", frozenset(range(24)))), field(0, 23)))
    weekdays = draw(st.one_of(st.none(), st.sets(st.integers(0, 6), min_size=1)))
    if draw(st.booleans()):
        text = "*" if weekdays is None else ",".join(str((day + 1) % 7) for day in weekdays)
        return f"{minute} {hour} * * {text}", minutes, hours, None if weekdays is None else frozenset(weekdays)
    days = "* * ?" if weekdays is None else "? * " + ",".join(str((day + 1) % 7 + 1) for day in weekdays)
    return f"cron({minute} {hour} {days} *)", minutes, hours, None if weekdays is None else frozenset(weekdays)


def walked(
    minutes: frozenset[int], hours: frozenset[int], weekdays: frozenset[int] | None, zone: ZoneInfo, low: datetime
) -> Iterator[datetime]:
    """Every minute of two days, one after the other, looked at on the wall."""

    def matches(local: datetime) -> bool:
        return local.minute in minutes and local.hour in hours and (weekdays is None or local.weekday() in weekdays)

    makes_up = len(minutes) > 1 and len(hours) == 24
    moment = low.replace(second=0, microsecond=0)
    before = moment.astimezone(zone).replace(tzinfo=None)
    while moment < low + timedelta(days=2):
        moment += MINUTE
        shown = moment.astimezone(zone)
        local = shown.replace(tzinfo=None)
        skipped = islice((before + MINUTE * n for n in range(1, 1440)), max(0, (local - before) // MINUTE - 1))
        if (matches(local) and not shown.fold) or (makes_up and any(map(matches, list(skipped)))):
            yield moment
        before = local


@given(crons(), st.sampled_from(ZONES), st.sampled_from(DAYS), st.integers(0, 1439))
@settings(max_examples=80, deadline=None)
def test_a_cron_agrees_with_a_walk_over_every_minute(
    cron: tuple[str, frozenset[int], frozenset[int], frozenset[int] | None], zone: str, day: str, minute: int
) -> None:
    expression, minutes, hours, weekdays = cron
    low = datetime.fromisoformat(day).replace(tzinfo=UTC) + MINUTE * minute - timedelta(days=1)
    table = Timetable(parse(expression), zones.find(zone), ANCHOR)

    expected = list(walked(minutes, hours, weekdays, ZoneInfo(zone), low))
    assert list(between(table, low, low + timedelta(days=2))) == expected


@st.composite
def tables(draw: st.DrawFn) -> Timetable:
    expression = draw(st.one_of(crons().map(lambda cron: cron[0]), st.integers(1, 5000).map("rate({} minutes)".format)))
    start = draw(st.one_of(st.none(), st.integers(0, 10**7).map(lambda s: ANCHOR + timedelta(seconds=s))))
    end = draw(st.one_of(st.none(), st.integers(0, 10**7).map(lambda s: ANCHOR + timedelta(days=60, seconds=s))))
    zone = zones.find(draw(st.sampled_from(ZONES)))
    return Timetable(parse(expression), zone, start or ANCHOR, start, end)


moments = st.integers(0, 366 * 86400 * 10).map(lambda tenths: ANCHOR + timedelta(seconds=tenths / 10))


@given(tables(), moments)
@settings(max_examples=200, deadline=None)
def test_ticks_are_whole_seconds_strictly_ascending_and_within_the_bounds(table: Timetable, moment: datetime) -> None:
    ticks = preview(table, moment, 20)
    assert ticks == sorted(set(ticks))
    for tick in ticks:
        assert tick > moment
        assert tick.microsecond == 0
        assert tick.tzinfo is UTC
        assert table.start_at is None or tick >= table.start_at
        assert table.end_at is None or tick <= table.end_at


@given(tables(), moments)
@settings(max_examples=200, deadline=None)
def test_asking_from_any_tick_goes_on_as_if_asked_once(table: Timetable, moment: datetime) -> None:
    """Whoever asks, and when: a scheduler that took over finds the same ticks."""
    ticks = preview(table, moment, 12)
    for place, tick in enumerate(ticks[:-1]):
        assert first_after(table, tick) == ticks[place + 1]
        assert first_after(table, tick - timedelta(microseconds=1)) == tick
        assert preview(table, tick, 3) == ticks[place + 1 : place + 4] or place + 4 > len(ticks)


@given(tables(), moments, st.integers(0, 3 * 86400))
@settings(max_examples=100, deadline=None)
def test_the_latest_of_a_span_is_the_last_of_all_in_it(table: Timetable, low: datetime, length_s: int) -> None:
    high = low + timedelta(seconds=length_s)
    assert latest(table, low, high) == max(between(table, low, high), default=None)


@given(crons(), moments)
@settings(max_examples=100, deadline=None)
def test_without_a_change_of_clocks_the_plain_dialect_agrees_with_croniter(
    cron: tuple[str, frozenset[int], frozenset[int], frozenset[int] | None], moment: datetime
) -> None:
    expression = cron[0]
    assume(not expression.startswith("cron("))
    assume(not re.search(r"\b(\d+)-\1/", expression))  # croniter reads such a range as all
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses names that Python is about to drop
        from croniter import croniter

        theirs = croniter(expression, moment)
        expected = [theirs.get_next(datetime) for _ in range(10)]
    assert list(islice(after(Timetable(parse(expression), zones.find("UTC"), ANCHOR), moment), 10)) == expected


@given(crons())
@settings(max_examples=50, deadline=None)
def test_local_times_have_no_zone_and_no_seconds(
    cron: tuple[str, frozenset[int], frozenset[int], frozenset[int] | None],
) -> None:
    rule = parse(cron[0])
    assert isinstance(rule, Cron)
    for local in islice(local_times(rule, datetime(2026, 2, 27, 23, 59, 30)), 20):  # noqa: DTZ001
        assert local.tzinfo is None
        assert local.second == 0
