"""Check the times of expressions against a table written by hand with a calendar."""

from datetime import UTC, datetime

import pytest

from workqueue.errors import BadExpressionError
from workqueue.schedules.calendar import time_zones
from workqueue.schedules.calendar.expression import parse
from workqueue.schedules.calendar.timetable import Timetable, next_ticks

# 2026 begins on a Thursday.
START = datetime(2026, 1, 1, 0, 0, tzinfo=UTC)


def times(expression: str, count: int, zone: str = "UTC", after: datetime = START) -> list[str]:
    table = Timetable(parse(expression), time_zones.find(zone), START)
    return [tick.strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00") for tick in next_ticks(table, after, count)]


TABLE = [
    ("* * * * *", ["2026-01-01 00:01", "2026-01-01 00:02"]),
    ("*/20 * * * *", ["2026-01-01 00:20", "2026-01-01 00:40", "2026-01-01 01:00"]),
    ("5-5/10 3 * * *", ["2026-01-01 03:05", "2026-01-02 03:05"]),
    ("5-59/25 3 * * *", ["2026-01-01 03:05", "2026-01-01 03:30", "2026-01-01 03:55", "2026-01-02 03:05"]),
    ("0 8 * * MON-FRI", ["2026-01-01 08:00", "2026-01-02 08:00", "2026-01-05 08:00"]),
    ("0 8 * * 7", ["2026-01-04 08:00", "2026-01-11 08:00"]),
    ("0 8 * * 0", ["2026-01-04 08:00", "2026-01-11 08:00"]),
    ("0 0 13 * FRI", ["2026-01-02 00:00", "2026-01-09 00:00", "2026-01-13 00:00", "2026-01-16 00:00"]),
    ("0 0 29 feb *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
    ("0 0 31 * *", ["2026-01-31 00:00", "2026-03-31 00:00", "2026-05-31 00:00"]),
    ("@hourly", ["2026-01-01 01:00", "2026-01-01 02:00"]),
    ("@daily", ["2026-01-02 00:00", "2026-01-03 00:00"]),
    ("@midnight", ["2026-01-02 00:00"]),
    ("@weekly", ["2026-01-04 00:00", "2026-01-11 00:00"]),
    ("@monthly", ["2026-02-01 00:00", "2026-03-01 00:00"]),
    ("@yearly", ["2027-01-01 00:00"]),
    ("@Annually", ["2027-01-01 00:00"]),
    ("cron(15 10 * * ? *)", ["2026-01-01 10:15", "2026-01-02 10:15"]),
    ("cron(0 18 ? * MON-FRI *)", ["2026-01-01 18:00", "2026-01-02 18:00", "2026-01-05 18:00"]),
    ("cron(0 8 1 * ? *)", ["2026-01-01 08:00", "2026-02-01 08:00"]),
    ("cron(0/15 * * * ? *)", ["2026-01-01 00:15", "2026-01-01 00:30"]),
    ("cron(0/30 20-21 ? * 2 *)", ["2026-01-05 20:00", "2026-01-05 20:30", "2026-01-05 21:00", "2026-01-05 21:30"]),
    ("cron(0 9 ? * 1 *)", ["2026-01-04 09:00", "2026-01-11 09:00"]),
    ("cron(0 9 ? * 7 *)", ["2026-01-03 09:00"]),
    ("cron(0 9 ? * SUN,SAT *)", ["2026-01-03 09:00", "2026-01-04 09:00", "2026-01-10 09:00"]),
    ("cron(0 9 ? * 2/2 *)", ["2026-01-02 09:00", "2026-01-05 09:00", "2026-01-07 09:00", "2026-01-09 09:00"]),
    ("cron(0 9 ? * L *)", ["2026-01-03 09:00", "2026-01-10 09:00"]),
    ("cron(0 9 ? * 6L *)", ["2026-01-30 09:00", "2026-02-27 09:00", "2026-03-27 09:00"]),
    ("cron(0 9 ? * FRIL *)", ["2026-01-30 09:00", "2026-02-27 09:00"]),
    ("cron(0 9 ? * 6#3 *)", ["2026-01-16 09:00", "2026-02-20 09:00", "2026-03-20 09:00"]),
    ("cron(0 9 ? * TUE#5 *)", ["2026-03-31 09:00", "2026-06-30 09:00"]),
    ("cron(0 9 L * ? *)", ["2026-01-31 09:00", "2026-02-28 09:00", "2026-03-31 09:00"]),
    ("cron(0 9 LW * ? *)", ["2026-01-30 09:00", "2026-02-27 09:00", "2026-03-31 09:00"]),
    ("cron(0 9 3W * ? *)", ["2026-01-02 09:00", "2026-02-03 09:00", "2026-03-03 09:00", "2026-04-03 09:00"]),
    # 1 February and 1 March 2026 are Sundays, 1 August is a Saturday: the nearest weekday stays in the month.
    ("cron(0 9 1W 2,3,8 ? *)", ["2026-02-02 09:00", "2026-03-02 09:00", "2026-08-03 09:00"]),
    # 31 May 2026 is a Sunday: the Friday before. April has no such day.
    ("cron(0 9 31W 4-5 ? *)", ["2026-05-29 09:00", "2027-05-31 09:00"]),
    ("cron(0 9 15W 8,11 ? *)", ["2026-08-14 09:00", "2026-11-16 09:00"]),
    ("cron(0 0 1 1 ? 2027-2029)", ["2027-01-01 00:00", "2028-01-01 00:00", "2029-01-01 00:00"]),
    ("cron(0 0 1 JUL ? 2030,2040)", ["2030-07-01 00:00", "2040-07-01 00:00"]),
    ("cron(0 0 1 7 ? 2026/10)", ["2026-07-01 00:00", "2036-07-01 00:00"]),
    ("cron(0 0 1 7 ? */100)", ["2070-07-01 00:00", "2170-07-01 00:00"]),
    ("cron(0 0 1 1/3 ? *)", ["2026-04-01 00:00", "2026-07-01 00:00", "2026-10-01 00:00", "2027-01-01 00:00"]),
    ("rate(1 second)", ["2026-01-01 00:00:01", "2026-01-01 00:00:02"]),
    ("rate(1 minute)", ["2026-01-01 00:01", "2026-01-01 00:02"]),
    ("rate(90 minutes)", ["2026-01-01 01:30", "2026-01-01 03:00"]),
    ("rate(7 hours)", ["2026-01-01 07:00", "2026-01-01 14:00", "2026-01-01 21:00", "2026-01-02 04:00"]),
    ("rate(2 days)", ["2026-01-03 00:00", "2026-01-05 00:00"]),
    ("at(2026-03-01T12:34:56)", ["2026-03-01 12:34:56"]),
    ("at(2026-03-01T12:34)", ["2026-03-01 12:34"]),
    ("  */5  *   * * *  ", ["2026-01-01 00:05"]),
    ("CRON(0 18 ? * mon-fri *)", ["2026-01-01 18:00"]),
    ("Rate(5 Minutes)", ["2026-01-01 00:05"]),
]


@pytest.mark.parametrize(("expression", "expected"), TABLE)
def test_an_expression_names_these_times(expression: str, expected: list[str]) -> None:
    assert times(expression, len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("at(2026-03-01T12:00:00)", 1),
        ("cron(0 0 1 1 ? 2027-2029)", 3),
        ("cron(0 0 1 1 ? 2020)", 0),
        ("cron(0 9 31W 2,4 ? *)", 0),
        ("at(2020-01-01T00:00:00)", 0),
    ],
)
def test_an_expression_has_no_times_after_its_end(expression: str, count: int) -> None:
    assert len(times(expression, 20)) == count


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("", "empty"),
        ("* * * *", "five"),
        ("* * * * * *", "five"),
        ("61 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day-of-month"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "day-of-week"),
        ("* * * * MOO", "day-of-week"),
        ("*/0 * * * *", "minute"),
        ("5-1 * * * *", "minute"),
        ("0 0 30 2 *", "day-of-month"),
        ("a b c d e", "minute"),
        ("@reboot", "@daily"),
        ("@", "@daily"),
        ("cron(0 10 * * *)", "six"),
        ("cron(0 10 * * * *)", "?"),
        ("cron(0 10 ? * ? *)", "?"),
        ("cron(0 10 1 * 2 *)", "?"),
        ("cron(0 10 ? * 0 *)", "weekday"),
        ("cron(0 10 ? * 8 *)", "weekday"),
        ("cron(0 10 ? * 6#6 *)", "day-of-week"),
        ("cron(0 10 32W * ? *)", "32W"),
        ("cron(0 10 0W * ? *)", "0W"),
        ("cron(0 10 1W,15W * ? *)", "day-of-month"),
        ("cron(0 10 * * ? 1969)", "1970"),
        ("cron(0 10 * * ? 2200)", "2199"),
        ("cron(0 10 * * ? 2030-2020)", "1970"),
        ("cron(0 10 * * ? 2020/0)", "year"),
        ("cron(0 10 * * ? soon)", "year"),
        ("cron()", "six"),
        ("rate()", "rate(5 minutes)"),
        ("rate(0 minutes)", "rate(5 minutes)"),
        ("rate(-5 minutes)", "rate(5 minutes)"),
        ("rate(5)", "rate(5 minutes)"),
        ("rate(5 fortnights)", "rate(5 minutes)"),
        ("rate(1.5 hours)", "rate(5 minutes)"),
        ("rate(999999999 days)", "rate(5 minutes)"),
        ("at(tomorrow)", "at(2030-"),
        ("at(2026-02-30T00:00:00)", "at(2030-"),
        ("at(2026-01-01)", "at(2030-"),
        ("at(9999-12-31T23:59:59)", "at(2030-"),
        ("at(2026-01-01T00:00:00Z)", "at(2030-"),
        ("every(5 minutes)", "rate(5 minutes)"),
        ("* " * 200, "256"),
    ],
)
def test_an_invalid_value_is_rejected_with_a_valid_example(expression: str, word: str) -> None:
    with pytest.raises(BadExpressionError) as caught:
        parse(expression)
    assert word in str(caught.value)
