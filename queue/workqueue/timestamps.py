"""Read times that clients, operators and declarations give; accept only those that every list can show again."""

import re
from datetime import UTC, datetime

# PostgreSQL stores times that Python cannot represent, and one of them would make a whole list unreadable. Times of
# these years can be shown in every time zone.
FIRST_YEAR, LAST_YEAR = 1970, 9998
EXAMPLE = "2030-01-31T12:00:00Z"
# datetime.fromisoformat also accepts week dates, any character between date and time, and text after a U+0000.
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)", re.ASCII)
EXPECTED = f"a time with its zone, from {FIRST_YEAR} to {LAST_YEAR}, is needed, such as {EXAMPLE}"


def read_time(text: object) -> datetime:
    """Return the time of an RFC 3339 text, in UTC.

    text: a text, or a datetime, which is what a TOML file gives.
    Raises ValueError, whose text describes a valid time.
    """
    try:
        moment = text if isinstance(text, datetime) else _parse(str(text).upper())
        # In UTC the year may differ, or be outside of Python's range.
        utc = moment.astimezone(UTC) if moment.utcoffset() is not None else None
    except (ValueError, OverflowError):
        utc = None
    if utc is None or not FIRST_YEAR <= utc.year <= LAST_YEAR:
        raise ValueError(EXPECTED)
    return utc


def _parse(text: str) -> datetime:
    """Return the time. Raises ValueError."""
    if not RFC_3339.fullmatch(text):
        raise ValueError(EXPECTED)
    return datetime.fromisoformat(text)
