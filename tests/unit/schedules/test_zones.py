"""Clocks that skip an hour in spring and repeat one in autumn: four zones, against a table written by hand."""

from datetime import UTC, datetime

import pytest

from workqueue.errors import UnknownZoneError
from workqueue.schedules import zones
from workqueue.schedules.expression import parse
from workqueue.schedules.timetable import Timetable, preview

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
    (BERLIN, "30 2 * * *", "03-28 00:00", ["03-28 01:30", "03-30 00:30", "03-31 00:30"]),
    (BERLIN, "0 2 * * *", "03-28 02:00", ["03-30 00:00"]),
    (BERLIN, "0 3 * * *", "03-28 02:00", ["03-29 01:00", "03-30 01:00"]),
    (BERLIN, "*/15 * * * *", "03-29 00:30", ["03-29 00:45", "03-29 01:00", "03-29 01:15"]),
    (BERLIN, "* * * * *", "03-29 00:58", ["03-29 00:59", "03-29 01:00", "03-29 01:01"]),
    (BERLIN, "7-59/10 * * * *", "03-29 00:50", ["03-29 00:57", "03-29 01:00", "03-29 01:07"]),
    (BERLIN, "0 * * * *", "03-28 23:30", ["03-29 00:00", "03-29 01:00", "03-29 02:00"]),
    (BERLIN, "30 * * * *", "03-29 00:00", ["03-29 00:30", "03-29 01:30", "03-29 02:30"]),
    (BERLIN, "*/15 2 * * *", "03-29 00:00", ["03-30 00:00", "03-30 00:15"]),
    (BERLIN, "cron(30 2 * * ? *)", "03-28 00:00", ["03-28 01:30", "03-30 00:30"]),
    (BERLIN, "cron(0/15 * * * ? *)", "03-29 00:30", ["03-29 00:45", "03-29 01:00", "03-29 01:15"]),
    (BERLIN, "rate(30 minutes)", "03-29 00:10", ["03-29 00:30", "03-29 01:00", "03-29 01:30"]),
    (BERLIN, "rate(1 day)", "03-28 12:00", ["03-29 00:00", "03-30 00:00"]),
    (NEW_YORK, "30 2 * * *", "03-07 00:00", ["03-07 07:30", "03-09 06:30"]),
    (NEW_YORK, "*/30 * * * *", "03-08 06:20", ["03-08 06:30", "03-08 07:00", "03-08 07:30"]),
    (NEW_YORK, "0 9 * * MON-FRI", "03-06 15:00", ["03-09 13:00", "03-10 13:00"]),
    (LORD_HOWE, "15 2 * * *", "10-02 20:00", ["10-04 15:15"]),
    (LORD_HOWE, "45 2 * * *", "10-02 20:00", ["10-03 15:45", "10-04 15:45"]),
    (LORD_HOWE, "*/10 * * * *", "10-03 15:10", ["10-03 15:20", "10-03 15:30", "10-03 15:40"]),
    (LORD_HOWE, "*/20 * * * *", "10-03 14:40", ["10-03 14:50", "10-03 15:10", "10-03 15:30", "10-03 15:40"]),
    (KATHMANDU, "30 2 * * *", "03-28 00:00", ["03-28 20:45", "03-29 20:45", "03-30 20:45"]),
    (KATHMANDU, "0 * * * *", "03-28 00:00", ["03-28 00:15", "03-28 01:15"]),
    (KATHMANDU, "0 0 1 * *", "03-28 00:00", ["03-31 18:15", "04-30 18:15"]),
]
AUTUMN = [
    (BERLIN, "30 2 * * *", "10-24 12:00", ["10-25 00:30", "10-26 01:30"]),
    (BERLIN, "*/30 * * * *", "10-24 23:45", ["10-25 00:00", "10-25 00:30", "10-25 02:00", "10-25 02:30"]),
    (BERLIN, "* * * * *", "10-25 00:58", ["10-25 00:59", "10-25 02:00", "10-25 02:01"]),
    # Asked in the middle of the repeated hour.
    (BERLIN, "*/30 * * * *", "10-25 01:10", ["10-25 02:00", "10-25 02:30"]),
    (BERLIN, "0 * * * *", "10-24 23:30", ["10-25 00:00", "10-25 02:00", "10-25 03:00"]),
    (BERLIN, "rate(30 minutes)", "10-25 00:10", ["10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"]),
    (NEW_YORK, "30 1 * * *", "10-31 12:00", ["11-01 05:30", "11-02 06:30"]),
    (NEW_YORK, "0,30 * * * *", "11-01 05:10", ["11-01 05:30", "11-01 07:00", "11-01 07:30"]),
    (NEW_YORK, "cron(30 1 * * ? *)", "10-31 12:00", ["11-01 05:30", "11-02 06:30"]),
    (NEW_YORK, "at(2026-11-01T01:30:00)", "10-31 12:00", ["11-01 05:30"]),
    (LORD_HOWE, "45 1 * * *", "04-04 00:00", ["04-04 14:45", "04-05 15:15"]),
    (LORD_HOWE, "*/15 * * * *", "04-04 14:20", ["04-04 14:30", "04-04 14:45", "04-04 15:30", "04-04 15:45"]),
    (KATHMANDU, "45 5 * * *", "10-24 12:00", ["10-25 00:00", "10-26 00:00"]),
]


def moment(text: str) -> datetime:
    return datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


@pytest.mark.parametrize(("zone", "expression", "after", "expected"), SPRING + AUTUMN)
def test_a_schedule_keeps_to_the_wall_clock_of_its_zone(
    zone: str, expression: str, after: str, expected: list[str]
) -> None:
    table = Timetable(parse(expression), zones.find(zone), moment("01-01 00:00"))
    assert preview(table, moment(after), len(expected)) == [moment(text) for text in expected]


@pytest.mark.parametrize(
    ("name", "proposal"),
    [
        ("Europe/Berlim", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("America/NewYork", "America/New_York"),
        ("../../etc/passwd", "a valid one is "),
        ("Europe", "a valid one is "),
        ("", "a valid one is "),
        ("x" * 500, "a valid one is Europe/Berlin"),
    ],
)
def test_an_unknown_zone_is_refused_with_one_that_looks_like_it(name: str, proposal: str) -> None:
    with pytest.raises(UnknownZoneError) as caught:
        zones.find(name)
    assert proposal in str(caught.value)
