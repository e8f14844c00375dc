"""Check which late ticks make a request."""

from datetime import UTC, datetime, timedelta

import pytest

from schema.schedule_policies import Misfire
from workqueue.schedules.calendar import time_zones
from workqueue.schedules.calendar.expression import parse
from workqueue.schedules.calendar.misfires import DueSchedule, DueTicks, select_due_ticks
from workqueue.schedules.calendar.timetable import MICROSECOND, Timetable

NINE = datetime(2026, 1, 1, 9, tzinfo=UTC)


def after(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def waiting(
    misfire: Misfire,
    *,
    expression: str = "*/5 * * * *",
    grace_s: float = 10,
    since: datetime = NINE - MICROSECOND,
    kept: datetime | None = None,
    zone: str = "UTC",
) -> DueSchedule:
    table = Timetable(parse(expression), time_zones.find(zone), NINE)
    return DueSchedule(table, since, misfire, grace_s, kept)


@pytest.mark.parametrize("misfire", Misfire)
def test_a_tick_in_time_makes_its_request_with_each_policy(misfire: Misfire) -> None:
    for late_s in (0.003, 0.5, 1.9):
        found = select_due_ticks(waiting(misfire, grace_s=0), NINE + timedelta(seconds=late_s))
        assert found == DueTicks((NINE,), after(5))


def test_three_hours_of_downtime_make_none_one_or_thirty_six() -> None:
    now = after(179)

    assert select_due_ticks(waiting(Misfire.SKIP), now) == DueTicks((), after(180))
    assert select_due_ticks(waiting(Misfire.ONCE), now) == DueTicks((after(175),), after(180))
    found = select_due_ticks(waiting(Misfire.ALL), now)
    assert found.ticks == tuple(after(5 * n) for n in range(36))
    assert found.next == after(180)


def test_the_last_tick_still_within_the_grace_is_not_missed() -> None:
    now = after(175) + timedelta(seconds=5)

    assert select_due_ticks(waiting(Misfire.SKIP), now) == DueTicks((after(175),), after(180))
    assert select_due_ticks(waiting(Misfire.ONCE), now) == DueTicks((after(175),), after(180))
    assert select_due_ticks(waiting(Misfire.SKIP, grace_s=600), now).ticks == (after(170), after(175))


def test_many_missed_ticks_are_made_in_portions() -> None:
    found = select_due_ticks(waiting(Misfire.ALL, expression="rate(1 second)"), after(60), max_ticks=100)
    assert found.ticks == tuple(NINE + timedelta(seconds=n) for n in range(100))
    assert found.next == NINE + timedelta(seconds=100)
    again = select_due_ticks(
        waiting(Misfire.ALL, expression="rate(1 second)", since=found.next - MICROSECOND), after(60), 5
    )
    assert again.ticks[0] == found.next


def test_a_schedule_that_ends_waits_for_nothing() -> None:
    expression = "at(2026-01-01T09:00:00)"
    assert select_due_ticks(waiting(Misfire.ONCE, expression=expression), after(600)) == DueTicks((NINE,), None)
    assert select_due_ticks(waiting(Misfire.ALL, expression=expression), after(600)) == DueTicks((NINE,), None)
    assert select_due_ticks(waiting(Misfire.SKIP, expression=expression), after(600)) == DueTicks((), None)


def test_an_edit_keeps_the_due_tick_and_then_follows_the_new_expression() -> None:
    expression, since = "*/20 * * * *", after(30)
    edited = waiting(Misfire.ALL, expression=expression, since=since, kept=NINE)
    assert select_due_ticks(edited, after(65)) == DueTicks((NINE, after(40), after(60)), after(80))
    assert select_due_ticks(
        waiting(Misfire.ONCE, expression=expression, since=since, kept=NINE), after(35)
    ) == DueTicks((NINE,), after(40))
    assert select_due_ticks(
        waiting(Misfire.SKIP, expression=expression, since=since, kept=NINE), after(35)
    ) == DueTicks((), after(40))


def test_a_manually_reset_row_continues_with_its_expression() -> None:
    rewound = waiting(Misfire.ALL, since=NINE + timedelta(minutes=2, seconds=17))
    found = select_due_ticks(rewound, NINE + timedelta(hours=3, minutes=2, seconds=17))
    assert found.ticks == tuple(after(5 * n) for n in range(1, 37))
    assert select_due_ticks(waiting(Misfire.ALL, since=after(2)), after(3)) == DueTicks((), after(5))


def test_a_year_of_missed_minutes_is_computed_quickly() -> None:
    found = select_due_ticks(waiting(Misfire.ONCE, expression="* * * * *"), after(366 * 1440))
    assert found == DueTicks((after(366 * 1440),), after(366 * 1440 + 1))


# The clocks of Berlin go back from 03:00 to 02:00 at 01:00Z, and forward from 02:00 to 03:00 at 01:00Z.
@pytest.mark.parametrize(
    ("expression", "day", "hours"),
    [
        ("0 * * * *", datetime(2026, 10, 25, tzinfo=UTC), [0, 1, 2, 3]),
        ("0 2 * * *", datetime(2026, 10, 25, tzinfo=UTC), [0]),
        ("cron(0 * * * ? *)", datetime(2026, 10, 25, tzinfo=UTC), [0, 2, 3]),
        ("0 * * * *", datetime(2026, 3, 29, tzinfo=UTC), [0, 1, 2, 3]),
        ("30 2 * * *", datetime(2026, 3, 29, tzinfo=UTC), [1]),
        ("cron(30 2 * * ? *)", datetime(2026, 3, 29, tzinfo=UTC), []),
    ],
)
def test_a_downtime_over_a_clock_change_misses_the_right_times(
    expression: str, day: datetime, hours: list[int]
) -> None:
    missed = tuple(day + timedelta(hours=hour) for hour in hours)
    now = day + timedelta(hours=3, minutes=59)
    for misfire, expected in ((Misfire.ALL, missed), (Misfire.ONCE, missed[-1:]), (Misfire.SKIP, ())):
        row = waiting(misfire, expression=expression, zone="Europe/Berlin", since=day - MICROSECOND)
        assert select_due_ticks(row, now).ticks == expected
