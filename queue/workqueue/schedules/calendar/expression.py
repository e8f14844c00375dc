"""Parse a schedule's expression: cron, rate or a single time. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from workqueue.errors import BadExpressionError
from workqueue.schedules.calendar.cron import FIRST_YEAR, LAST_YEAR, Cron, parse_aws, parse_plain

SECONDS_PER_UNIT = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
MAX_RATE_S = 366 * 86400
MAX_LENGTH = 256
EXAMPLES = "*/5 * * * *, @daily, cron(0 8 ? * MON-FRI *), rate(5 minutes) or at(2030-01-31T12:00:00)"


@dataclass(frozen=True, slots=True)
class Rate:
    """A fixed interval, which clock changes do not affect."""

    every: timedelta


@dataclass(frozen=True, slots=True)
class At:
    """A single local time."""

    local: datetime


Rule = Cron | Rate | At


@lru_cache(maxsize=16_384)
def parse(text: str) -> Rule:
    """Return the rule of an expression. Raises BadExpressionError, whose message shows a valid expression."""
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise BadExpressionError(f"it is longer than {MAX_LENGTH} characters; valid are {EXAMPLES}.")
    wrapped = re.fullmatch(r"(\w+)\s*\((.*)\)", text, re.DOTALL)
    if wrapped is None:
        if not text:
            raise BadExpressionError(f"it is empty; valid are {EXAMPLES}.")
        return parse_plain(text)
    kind, inner = wrapped[1].lower(), wrapped[2].strip()
    if kind == "cron":
        return parse_aws(inner)
    if kind == "rate":
        return _parse_rate(inner)
    if kind == "at":
        return _parse_at(inner)
    raise BadExpressionError(f"{kind}(…) is unknown; valid are {EXAMPLES}.")


def _parse_rate(inner: str) -> Rate:
    match = re.fullmatch(r"(\d{1,9})\s+(second|minute|hour|day)s?", inner, re.ASCII | re.IGNORECASE)
    seconds = int(match[1]) * SECONDS_PER_UNIT[match[2].lower()] if match else 0
    if not 1 <= seconds <= MAX_RATE_S:
        raise BadExpressionError(
            f"rate({inner}) is not an interval of seconds, minutes, hours or days, up to a year; "
            "a valid one is rate(5 minutes)."
        )
    return Rate(timedelta(seconds=seconds))


def _parse_at(inner: str) -> At:
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", inner, re.ASCII):
            raise ValueError
        local = datetime.fromisoformat(inner)
        if not FIRST_YEAR < local.year <= LAST_YEAR:
            raise ValueError
        return At(local)
    except ValueError:
        raise BadExpressionError(f"at({inner}) is not a local time; a valid one is at(2030-01-31T12:00:00).") from None
