"""Convert local times to UTC, also where clocks skip an hour in spring and repeat one in autumn. Pure."""

import difflib
import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from workqueue.errors import UnknownZoneError

SECOND = timedelta(seconds=1)
# Files among the system's time zones that are not zones of their own. The first two differ between machines, and
# "Factory" means an unconfigured machine. posix/ and right/ contain copies, the latter with leap seconds.
NOT_A_ZONE = re.compile(r"localtime|posixrules|Factory|(?:posix|right)/.*", re.IGNORECASE)
CLOCK_CORRECTION = timedelta(hours=3)  # Debian's cron(8)


@lru_cache
def find(name: str) -> ZoneInfo:
    """Return the zone with this IANA name. Raises UnknownZoneError, which proposes a similar name."""
    try:
        if NOT_A_ZONE.fullmatch(name):
            raise ValueError
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = {zone.lower(): zone for zone in available_timezones() if not NOT_A_ZONE.fullmatch(zone)}
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
        proposal = known[near[0]] if near else "Europe/Berlin"
        raise UnknownZoneError(f"there is no time zone {name[:64]!r}; a valid one is {proposal}") from None


class ClockChange(Enum):
    """Rules for local times that the clocks of a zone skip or repeat.

    EVERY: fire for both occurrences of a repeated time, never for a skipped one. Debian's cron: `*/5 * * * *`.
    ONCE: fire for the first occurrence, and right after the gap for a skipped time. Debian's cron: `30 2 * * *`.
    SHOWN: fire for the first occurrence, never for a skipped time. EventBridge Scheduler: `cron(…)`.
    """

    EVERY = "every"
    ONCE = "once"
    SHOWN = "shown"


def to_utc_times(local_times: Iterable[datetime], zone: ZoneInfo, rule: ClockChange) -> Iterator[datetime]:
    """Yield the UTC times of these ascending local times in `zone`, strictly ascending."""
    last = datetime.min.replace(tzinfo=UTC)
    for moment in _in_order(local_times, zone, rule):
        if moment > last:
            last = moment
            yield moment


def walk_start(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return a local time that is earlier than every local time after `moment`.

    In the first of two repeated hours, this is earlier than the local time of `moment`, because the clock goes back.
    """
    shown_at = moment.astimezone(zone)
    ahead = shown_at.replace(fold=0).utcoffset(), shown_at.replace(fold=1).utcoffset()
    assert ahead[0] is not None
    assert ahead[1] is not None
    repeated_span = max(ahead[0] - ahead[1], timedelta()) if shown_at.fold == 0 else timedelta()
    return shown_at.replace(tzinfo=None, fold=0) - repeated_span


def _in_order(local_times: Iterable[datetime], zone: ZoneInfo, rule: ClockChange) -> Iterator[datetime]:
    """Yield the UTC times in order; hold back those of a repeated hour until its first occurrence is over."""
    repeated: deque[datetime] = deque()
    for local in local_times:
        first, second = _utc_before_and_after(local, zone)
        moment = first if first <= second else _after_gap(first, second, zone, rule)
        if moment is None:
            continue
        while repeated and repeated[0] < moment:
            yield repeated.popleft()
        yield moment
        if first < second and (rule is ClockChange.EVERY or _is_correction(rule, second - first)):
            repeated.append(second)
    yield from repeated


def _utc_before_and_after(local: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the UTC times of a local time, by the offset before a clock change and by the offset after it.

    They are equal if no clock changes, ascending for a repeated time, and descending for a skipped time.
    """
    shown_at = local.replace(tzinfo=zone)
    return shown_at.astimezone(UTC), shown_at.replace(fold=1).astimezone(UTC)


def _after_gap(first: datetime, second: datetime, zone: ZoneInfo, rule: ClockChange) -> datetime | None:
    """Return the end of the gap that skips a time with these two UTC times; None if the rule omits skipped times."""
    if rule is not ClockChange.ONCE or _is_correction(rule, first - second):
        return None
    offset = first.astimezone(zone).utcoffset()  # the offset after the change, which is later than `second`
    seconds = range(1, int((first - second).total_seconds()) + 1)
    index = bisect_left(seconds, True, key=lambda s: (second + s * SECOND).astimezone(zone).utcoffset() == offset)
    return second + seconds[index] * SECOND


def _is_correction(rule: ClockChange, change: timedelta) -> bool:
    """Return True if Debian's cron treats the change as a correction: it follows the new time at once."""
    return rule is ClockChange.ONCE and change >= CLOCK_CORRECTION


def exists(local: datetime, zone: ZoneInfo) -> bool:
    """Return False for a local time that the clocks of `zone` skip."""
    first, second = _utc_before_and_after(local, zone)
    return first <= second
