"""Check clock changes in four zones against a table written by hand."""

from datetime import UTC, datetime

import pytest

from workqueue.errors import UnknownZoneError
from workqueue.schedules.calendar import time_zones
from workqueue.schedules.calendar.expression import parse
from workqueue.schedules.calendar.timetable import Timetable, next_ticks

BERLIN, NEW_YORK, LORD_HOWE, KATHMANDU = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
)

# (zone, expression, after, the next times), all UTC. In 2026 the clocks change:
# Berlin      29 March 01:00Z from 02:00 to 03:00, 25 October 01:00Z from 03:00 to 02:00
# New York     8 March 07:00Z from 02:00 to 03:00,  1 November 06:00Z from 02:00 to 01:00
# Lord Howe    4 October (3 October 15:30Z) from 02:00 to 02:30, 5 April (4 April 15:00Z) from 02:00 to 01:30
# Kathmandu   never; it is 5 h 45 min ahead
SPRING = [
    (BERLIN, "30 2 * * *", "03-28 00:00", ["03-28 01:30", "03-29 01:00", "03-30 00:30", "03-31 00:30"]),
    (BERLIN, "0 2 * * *", "03-28 02:00", ["03-29 01:00", "03-30 00:00"]),
    (BERLIN, "0,30 2 * * *", "03-28 02:00", ["03-29 01:00", "03-30 00:00", "03-30 00:30"]),
    (BERLIN, "0 2,3 * * *", "03-28 03:00", ["03-29 01:00", "03-30 00:00", "03-30 01:00"]),
    (BERLIN, "0-59/15 2 * * *", "03-28 02:00", ["03-29 01:00", "03-30 00:00", "03-30 00:15"]),
    (BERLIN, "0 3 * * *", "03-28 02:00", ["03-29 01:00", "03-30 01:00"]),
    (BERLIN, "*/15 * * * *", "03-29 00:30", ["03-29 00:45", "03-29 01:00", "03-29 01:15"]),
    (BERLIN, "* * * * *", "03-29 00:58", ["03-29 00:59", "03-29 01:00", "03-29 01:01"]),
    (BERLIN, "7-59/10 * * * *", "03-29 00:50", ["03-29 00:57", "03-29 01:07", "03-29 01:17"]),
    (BERLIN, "0 * * * *", "03-28 23:30", ["03-29 00:00", "03-29 01:00", "03-29 02:00"]),
    (BERLIN, "30 * * * *", "03-29 00:00", ["03-29 00:30", "03-29 01:30", "03-29 02:30"]),
    (BERLIN, "*/15 2 * * *", "03-29 00:00", ["03-30 00:00", "03-30 00:15"]),
    (BERLIN, "cron(30 2 * * ? *)", "03-28 00:00", ["03-28 01:30", "03-30 00:30"]),
    (BERLIN, "cron(0/15 * * * ? *)", "03-29 00:30", ["03-29 00:45", "03-29 01:00", "03-29 01:15"]),
    (BERLIN, "rate(30 minutes)", "03-29 00:10", ["03-29 00:30", "03-29 01:00", "03-29 01:30"]),
    (BERLIN, "rate(1 day)", "03-28 12:00", ["03-29 00:00", "03-30 00:00"]),
    (NEW_YORK, "30 2 * * *", "03-07 00:00", ["03-07 07:30", "03-08 07:00", "03-09 06:30"]),
    (NEW_YORK, "*/30 * * * *", "03-08 06:20", ["03-08 06:30", "03-08 07:00", "03-08 07:30"]),
    (NEW_YORK, "0 9 * * MON-FRI", "03-06 15:00", ["03-09 13:00", "03-10 13:00"]),
    (LORD_HOWE, "15 2 * * *", "10-02 20:00", ["10-03 15:30", "10-04 15:15"]),
    (LORD_HOWE, "45 2 * * *", "10-02 20:00", ["10-03 15:45", "10-04 15:45"]),
    (LORD_HOWE, "*/10 * * * *", "10-03 15:10", ["10-03 15:20", "10-03 15:30", "10-03 15:40"]),
    (LORD_HOWE, "*/20 * * * *", "10-03 14:40", ["10-03 14:50", "10-03 15:10", "10-03 15:40"]),
    (KATHMANDU, "30 2 * * *", "03-28 00:00", ["03-28 20:45", "03-29 20:45", "03-30 20:45"]),
    (KATHMANDU, "0 * * * *", "03-28 00:00", ["03-28 00:15", "03-28 01:15"]),
    (KATHMANDU, "0 0 1 * *", "03-28 00:00", ["03-31 18:15", "04-30 18:15"]),
]
AUTUMN = [
    (BERLIN, "30 2 * * *", "10-24 12:00", ["10-25 00:30", "10-26 01:30"]),
    (
        BERLIN,
        "*/30 * * * *",
        "10-24 23:45",
        ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"],
    ),
    (BERLIN, "cron(0/30 * * * ? *)", "10-24 23:45", ["10-25 00:00", "10-25 00:30", "10-25 02:00", "10-25 02:30"]),
    (
        BERLIN,
        "*/30 2 * * *",
        "10-24 23:45",
        ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-26 01:00"],
    ),
    (BERLIN, "0-59/30 0-23 * * *", "10-24 23:45", ["10-25 00:00", "10-25 00:30", "10-25 02:00", "10-25 02:30"]),
    (BERLIN, "* * * * *", "10-25 00:58", ["10-25 00:59", "10-25 01:00", "10-25 01:01"]),
    # From the middle of the first hour, and of the second.
    (BERLIN, "*/30 * * * *", "10-25 00:40", ["10-25 01:00", "10-25 01:30", "10-25 02:00"]),
    (BERLIN, "*/30 * * * *", "10-25 01:10", ["10-25 01:30", "10-25 02:00", "10-25 02:30"]),
    (BERLIN, "30 2 * * *", "10-25 00:40", ["10-26 01:30"]),
    (BERLIN, "0 * * * *", "10-24 23:30", ["10-25 00:00", "10-25 01:00", "10-25 02:00"]),
    (BERLIN, "@hourly", "10-24 23:30", ["10-25 00:00", "10-25 01:00", "10-25 02:00"]),
    (BERLIN, "rate(30 minutes)", "10-25 00:10", ["10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"]),
    (NEW_YORK, "30 1 * * *", "10-31 12:00", ["11-01 05:30", "11-02 06:30"]),
    (NEW_YORK, "0,30 * * * *", "11-01 05:10", ["11-01 05:30", "11-01 06:00", "11-01 06:30", "11-01 07:00"]),
    (NEW_YORK, "cron(30 1 * * ? *)", "10-31 12:00", ["11-01 05:30", "11-02 06:30"]),
    (NEW_YORK, "at(2026-11-01T01:30:00)", "10-31 12:00", ["11-01 05:30"]),
    (LORD_HOWE, "45 1 * * *", "04-04 00:00", ["04-04 14:45", "04-05 15:15"]),
    (LORD_HOWE, "*/15 * * * *", "04-04 14:20", ["04-04 14:30", "04-04 14:45", "04-04 15:00", "04-04 15:15"]),
    (KATHMANDU, "45 5 * * *", "10-24 12:00", ["10-25 00:00", "10-26 00:00"]),
]
# A day without a midnight in spring, one with two of them in autumn:
# Havana       8 March 05:00Z from 00:00 to 01:00,  1 November 05:00Z from 01:00 to 00:00
# Cairo       24 April (23 April 22:00Z) from 00:00 to 01:00, 29 October 21:00Z from 24:00 to 23:00
# Troll       29 March 01:00Z from 01:00 to 03:00, 25 October 01:00Z from 03:00 to 01:00
MIDNIGHTS = [
    ("America/Havana", "@daily", "03-07 00:00", ["03-07 05:00", "03-08 05:00", "03-09 04:00"]),
    ("America/Havana", "@daily", "10-31 00:00", ["10-31 04:00", "11-01 04:00", "11-02 05:00"]),
    ("America/Havana", "@weekly", "03-05 00:00", ["03-08 05:00", "03-15 04:00"]),
    ("America/Havana", "cron(0 0 * * ? *)", "03-07 00:00", ["03-07 05:00", "03-09 04:00"]),
    ("America/Havana", "0 * * * *", "11-01 03:30", ["11-01 04:00", "11-01 05:00", "11-01 06:00"]),
    ("Africa/Cairo", "@daily", "04-22 00:00", ["04-22 22:00", "04-23 22:00", "04-24 21:00"]),
    ("Africa/Cairo", "@daily", "10-28 00:00", ["10-28 21:00", "10-29 22:00", "10-30 22:00"]),
    ("Antarctica/Troll", "30 1 * * *", "03-28 02:00", ["03-29 01:00", "03-29 23:30"]),
    ("Antarctica/Troll", "30 2 * * *", "10-24 12:00", ["10-25 00:30", "10-26 02:30"]),
    ("Antarctica/Troll", "30 * * * *", "10-25 00:00", ["10-25 00:30", "10-25 01:30", "10-25 02:30", "10-25 03:30"]),
]


def moment(text: str) -> datetime:
    return datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


@pytest.mark.parametrize(("zone", "expression", "after", "expected"), SPRING + AUTUMN + MIDNIGHTS)
def test_a_schedule_keeps_to_the_wall_clock_of_its_zone(
    zone: str, expression: str, after: str, expected: list[str]
) -> None:
    table = Timetable(parse(expression), time_zones.find(zone), moment("01-01 00:00"))
    assert next_ticks(table, moment(after), len(expected)) == [moment(text) for text in expected]


@pytest.mark.parametrize("year", range(2024, 2036))
def test_a_fixed_time_that_the_clocks_skip_runs_right_after_the_gap_in_every_year(year: int) -> None:
    sunday = max(day for day in range(25, 32) if datetime(year, 3, day, tzinfo=UTC).weekday() == 6)
    table = Timetable(parse("30 2 * * *"), time_zones.find(BERLIN), datetime(2024, 1, 1, tzinfo=UTC))
    assert next_ticks(table, datetime(year, 3, sunday, tzinfo=UTC), 1) == [datetime(year, 3, sunday, 1, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("30 2 * * *", ["12-29 12:30", "12-30 12:30"]), ("@daily", ["12-29 10:00", "12-30 10:00"])],
)
def test_a_whole_day_that_a_zone_leaves_out_is_left_out(expression: str, expected: list[str]) -> None:
    """Skip 30 December 2011 in Samoa, which crossed the date line."""
    table = Timetable(parse(expression), time_zones.find("Pacific/Apia"), datetime(2011, 1, 1, tzinfo=UTC))
    found = next_ticks(table, datetime(2011, 12, 28, 20, tzinfo=UTC), 2)
    assert [tick.strftime("%m-%d %H:%M") for tick in found] == expected


@pytest.mark.parametrize(
    ("name", "proposal"),
    [
        ("Europe/Berlim", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("America/NewYork", "America/New_York"),
        ("localtime", "a valid one is "),
        ("posixrules", "a valid one is "),
        ("Factory", "a valid one is "),
        ("posix/Europe/Berlin", "a valid one is Europe/Berlin"),
        ("right/Europe/Berlin", "a valid one is Europe/Berlin"),
        ("../../etc/passwd", "a valid one is "),
        ("Europe", "a valid one is "),
        ("", "a valid one is "),
        ("x" * 500, "a valid one is Europe/Berlin"),
    ],
)
def test_an_unknown_zone_is_rejected_with_the_nearest_valid_one(name: str, proposal: str) -> None:
    with pytest.raises(UnknownZoneError) as caught:
        time_zones.find(name)
    assert proposal in str(caught.value)
