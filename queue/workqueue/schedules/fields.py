"""Readers for the fields of a schedule: each converts a JSON value to the column's value.

A reader raises ValueError; its message describes the problem and shows a valid value.
"""

import difflib
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any

from schema.schedule_policies import Misfire, Overlap
from workqueue.errors import BadExpressionError, UnknownZoneError
from workqueue.functions.registry import NAME_PATTERN
from workqueue.schedules.calendar import expression, time_zones
from workqueue.schedules.calendar.cron import FIRST_YEAR, LAST_YEAR
from workqueue.timestamps import EXAMPLE, read_time

Reader = Callable[[Any], Any]

MAX_DESCRIPTION = 1000
MAX_NAME, MAX_TIMEZONE = 64, 64
MAX_RUNS = 2**31 - 1
MAX_GRACE_S = 366 * 86400.0


def read_name(value: Any) -> str:
    if not isinstance(value, str) or not NAME_PATTERN.fullmatch(value):
        raise ValueError("1 to 64 letters, digits, - and _ are needed, such as nightly-report")
    return value


def read_expression(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a string is needed, such as {expression.EXAMPLES}")
    try:
        expression.parse(value)
    except BadExpressionError as error:
        raise ValueError(str(error)) from None
    return value.strip()


def read_timezone(value: Any) -> str:
    # Reject long names first, because the search for a similar name is slow for them.
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TIMEZONE:
        raise ValueError("the name of a time zone is needed, such as Europe/Berlin")
    try:
        time_zones.find(value)
    except UnknownZoneError as error:
        raise ValueError(str(error)) from None
    return value


def read_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is needed")
    return value


def read_bound(value: Any) -> datetime | None:
    """Return a time with its zone, truncated to seconds; None for no bound."""
    if value is None:
        return None
    try:
        time = read_time(value)
    except ValueError as error:
        raise ValueError(f"{error}, or null") from None
    if not FIRST_YEAR < time.year <= LAST_YEAR:
        raise ValueError(f"a year from {FIRST_YEAR + 1} to {LAST_YEAR} is needed, such as {EXAMPLE}, or null")
    return time.replace(microsecond=0)


def read_max_runs(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_RUNS:
        raise ValueError("a whole number of at least 1 is needed, such as 10, or null")
    return value


def read_grace_s(value: Any) -> float:
    # Compare before float(): an integer can exceed the range of floats.
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= MAX_GRACE_S:
        raise ValueError("seconds from 0 to a year are needed, such as 10")
    return float(value)


def read_misfire(value: Any) -> Misfire:
    return Misfire(_read_choice(value, Misfire))


def read_overlap(value: Any) -> Overlap:
    return Overlap(_read_choice(value, Overlap))


def _read_choice(value: Any, choices: type[StrEnum]) -> str:
    if value not in tuple(choices):
        raise ValueError(f"one of {', '.join(choices)} is needed")
    return str(value)


def read_description(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_DESCRIPTION:
        raise ValueError(f"a string of at most {MAX_DESCRIPTION} characters is needed, such as nightly totals")
    return value


def function_reader(names: frozenset[str]) -> Reader:
    """Return a reader that accepts these function names, and proposes the most similar one."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            similar = difflib.get_close_matches(str(value)[:MAX_NAME], names, n=1, cutoff=0.0)
            example = f"a valid one is {similar[0]}" if similar else "no function is registered yet"
            raise ValueError(f"there is no function named {value!r}; {example}")
        return str(value)

    return read


def queue_reader(served: tuple[str, ...]) -> Reader:
    """Return a reader that accepts these queues. served: requests in other queues would never start."""

    def read(value: Any) -> str | None:
        if value is not None and value not in served:
            raise ValueError(f"no worker serves {value!r}; valid are {', '.join(served)}, or null for the function's")
        return None if value is None else str(value)

    return read
