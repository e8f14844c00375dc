"""Format times, sizes and texts in few characters."""

import re
import unicodedata
from datetime import UTC, datetime

# A colour (kept), or a character that moves the cursor, clears text or changes the reading direction.
CONTROL_SEQUENCES = re.compile(r"(\x1b\[[0-9;:]*m)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def parse_time(text: str) -> datetime:
    """Parse a time of the API."""
    return datetime.fromisoformat(text)


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Return the seconds from one time of the API to another; None if one is missing."""
    return (parse_time(end) - parse_time(start)).total_seconds() if start and end else None


def seconds_since(text: str) -> float:
    """Return the seconds from a time of the API until now; 0 if this machine's clock is behind."""
    return max((datetime.now(UTC) - parse_time(text)).total_seconds(), 0.0)


def relative_time(text: str, now: datetime | None = None) -> str:
    """Return `3 min ago` or `in 2 h`; `now` within one second."""
    distance_s = ((now or datetime.now(UTC)) - parse_time(text)).total_seconds()
    for length_s, unit in UNITS:
        if abs(distance_s) >= length_s:
            amount = f"{abs(distance_s) // length_s:.0f} {unit}"
            return f"{amount} ago" if distance_s > 0 else f"in {amount}"
    return "now"


def local_time(text: str) -> str:
    """Return a time of the API in this machine's zone, to the second, with the UTC offset."""
    return parse_time(text).astimezone().isoformat(" ", "seconds")


def format_seconds(amount_s: float | None) -> str:
    """Return `12 ms`, `3.4 s`, `2 min 5 s` or `1 h 2 min`; `-` for None."""
    if amount_s is None:
        return "-"
    if amount_s < 1:
        return f"{amount_s * 1000:.0f} ms"
    if amount_s < 59.95:
        return f"{round(amount_s, 1):g} s"
    minutes, rest_s = divmod(round(amount_s), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s" if rest_s else f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def format_size(amount: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError


def one_line(text: str) -> str:
    """Return the text without line breaks and control characters: they would break a table or control the terminal."""
    visible = "".join(" " if unicodedata.category(character) == "Cc" else character for character in text)
    return " ".join(visible.split())


def escape_controls(text: str) -> str:
    """Keep colours and escape other control characters: the output of a function may contain foreign input."""
    return CONTROL_SEQUENCES.sub(lambda found: found[1] or found[0].encode("unicode_escape").decode(), text)


def width(text: str) -> int:
    """Return the width in terminal cells: two for a wide character, none for a combining one."""
    return sum(_cells(character) for character in text)


def clip(text: str, limit: int) -> str:
    """Return at most `limit` cells; the last one is `…` if text was cut."""
    if width(text) <= limit:
        return text
    kept, used = [], 0
    for character in text:
        used += _cells(character)
        if used > limit - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"


def pad(text: str, to: int) -> str:
    return text + " " * (to - width(text))


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
