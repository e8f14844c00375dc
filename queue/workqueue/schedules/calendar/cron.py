"""Parse cron expressions, with five fields or AWS's six, and iterate over their local times. Pure.

cronsim parses the five common fields and computes times. This module adds AWS's weekday numbers, `?`, `W` and years.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cronsim import CronSim, CronSimError

from workqueue.errors import BadExpressionError
from workqueue.schedules.calendar.time_zones import ClockChange

FIRST_YEAR, LAST_YEAR = 1970, 2199  # AWS's own limits
NAMED_PATTERNS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
AWS_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
HORIZON_YEARS = 50  # give up after this many years without a time
ANY_DAY = datetime(2026, 1, 1)  # noqa: DTZ001 - a local time, as everywhere in this module


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed cron expression.

    pattern: five fields in cronsim's syntax. change: the rule for clock changes. years: None for all.
    near: the N of `NW`, the weekday nearest to day N.
    """

    pattern: str
    change: ClockChange
    years: frozenset[int] | None = None
    near: int | None = None


def parse_plain(text: str) -> Cron:
    """Parse `minute hour day month weekday`, or a name such as `@daily`. Raises BadExpressionError."""
    if text.startswith("@"):
        if text.lower() not in NAMED_PATTERNS:
            raise BadExpressionError(f"{text!r} is unknown; use one of {', '.join(NAMED_PATTERNS)}.")
        text = NAMED_PATTERNS[text.lower()]
    fields = text.split()
    if len(fields) != 5:
        raise BadExpressionError(
            f"{text!r} has {len(fields)} fields; cron has five, minute hour day month weekday, such as 0 8 * * MON-FRI."
        )
    # Debian's cron checks only the first character: `*/5` is a wildcard, `0-59/5` is not.
    is_wildcard = any(field.startswith("*") for field in fields[:2])
    return _cron(fields, ClockChange.EVERY if is_wildcard else ClockChange.ONCE)


def parse_aws(text: str) -> Cron:
    """Parse the inside of `cron(…)`: minute, hour, day, month, weekday, year. Raises BadExpressionError."""
    fields = text.upper().split()
    if len(fields) != 6:
        raise BadExpressionError(
            f"cron({text}) has {len(fields)} fields; it takes six, minute hour day month weekday year, "
            "such as cron(0 8 ? * MON-FRI *)."
        )
    minute, hour, day, month, weekday, year = fields
    if (day == "?") == (weekday == "?"):
        raise BadExpressionError(
            f"cron({text}) needs a ? in either the day or the weekday, such as cron(0 8 ? * MON-FRI *)."
        )
    near = _parse_nearest(day)
    days = "*" if day == "?" else day if near is None else f"{max(near - 2, 1)}-{min(near + 2, 31)}"
    weekdays = "*" if weekday == "?" else _convert_weekdays(weekday)
    return _cron([minute, hour, days, month, weekdays], ClockChange.SHOWN, _parse_years(year), near)


def _cron(fields: list[str], change: ClockChange, years: frozenset[int] | None = None, near: int | None = None) -> Cron:
    # cronsim treats a range of one value with a step as an open range: it would read 5-5/10 as 5, 15, 25, …
    pattern = re.sub(r"(?<![\w-])(\w+)-\1/[1-9]\d*", r"\1", " ".join(fields))
    try:
        CronSim(pattern, ANY_DAY)
    except CronSimError as error:
        name = str(error).removeprefix("Bad ")
        raise BadExpressionError(f"the {name} of {pattern!r} cannot be read; a valid one is 0 8 * * MON-FRI.") from None
    return Cron(pattern, change, years, near)


def _parse_nearest(day: str) -> int | None:
    match = re.fullmatch(r"(\d{1,2})W", day, re.ASCII)
    if match and not 1 <= int(match[1]) <= 31:
        raise BadExpressionError(f"{day!r} is not a day of a month; a valid one is cron(0 8 15W * ? *).")
    return int(match[1]) if match else None


def _convert_weekdays(text: str) -> str:
    """Convert AWS's weekdays, 1 (Sunday) to 7, to cronsim's, 0 to 6. `L` alone is the last day of AWS's week."""
    if text == "L":
        return "6"
    numbers = re.sub("|".join(AWS_DAYS), lambda match: str(1 + AWS_DAYS.index(match[0])), text)
    # Close open steps: an open one would reach cronsim's day 7, which is Sunday again.
    closed = re.sub(r"(?<![-\d])(\d+)/", r"\1-7/", numbers)
    return re.sub(r"(?<![#/\d])\d+", lambda match: _from_zero(match[0], text), closed)


def _from_zero(number: str, text: str) -> str:
    if not 1 <= int(number) <= 7:
        raise BadExpressionError(
            f"the weekday of {text!r} is not from 1 (SUN) to 7 (SAT), such as cron(0 8 ? * 2-6 *)."
        )
    return str(int(number) - 1)


def _parse_years(text: str) -> frozenset[int] | None:
    if text == "*":
        return None
    return frozenset(year for term in text.split(",") for year in _parse_year_term(term))


def _parse_year_term(term: str) -> range:
    match = re.fullmatch(r"(\*|\d{4})(?:-(\d{4}))?(?:/(\d{1,3}))?", term, re.ASCII)
    if match is None or (match[1] == "*" and match[2]) or match[3] in ("0", "00", "000"):
        raise BadExpressionError(f"the year {term!r} cannot be read; a valid one is cron(0 8 1 1 ? 2030-2035).")
    first = FIRST_YEAR if match[1] == "*" else int(match[1])
    last = int(match[2]) if match[2] else LAST_YEAR if match[3] or match[1] == "*" else first
    if not FIRST_YEAR <= first <= last <= LAST_YEAR:
        raise BadExpressionError(f"the year {term!r} is not between {FIRST_YEAR} and {LAST_YEAR}.")
    return range(first, last + 1, int(match[3] or 1))


def local_times(cron: Cron, after: datetime) -> Iterator[datetime]:
    """Yield the local times later than `after`, ascending; all without a zone."""
    walk = CronSim(cron.pattern, after)
    for local in walk:
        if local.year > after.year + max(HORIZON_YEARS, _years_ahead(cron, after)):
            return
        if cron.years is not None and local.year not in cron.years:
            later = [year for year in cron.years if year > local.year]
            if not later:
                return
            walk.dt = datetime(min(later), 1, 1) - timedelta(seconds=1)  # noqa: DTZ001 - a local time
        elif cron.near is None or local.date() == nearest_weekday(local.year, local.month, cron.near):
            yield local


def _years_ahead(cron: Cron, after: datetime) -> int:
    return max(cron.years) - after.year if cron.years else 0


def nearest_weekday(year: int, month: int, day: int) -> date | None:
    """Return the weekday nearest to a day, within its month; None if the month lacks that day."""
    try:
        wanted = date(year, month, day)
    except ValueError:
        return None
    if wanted.weekday() < 5:
        return wanted
    towards = -1 if wanted.weekday() == 5 else 1  # Saturday: the Friday before; Sunday: the Monday after
    moved = wanted + timedelta(days=towards)
    return moved if moved.month == month else wanted - 2 * timedelta(days=towards)
