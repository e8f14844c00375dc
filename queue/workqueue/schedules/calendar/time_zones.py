"""Local times as moments, where clocks skip an hour in spring and repeat one in autumn. Pure."""

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
# Names beside the zones in a system's folder of them: each machine means its own by the first two, and "Factory" is
# the zone of a machine that was not set up. Those below posix/ and right/ are copies, the latter with leap seconds.
NOT_A_ZONE = re.compile(r"localtime|posixrules|Factory|(?:posix|right)/.*", re.IGNORECASE)
CLOCK_CORRECTION = timedelta(hours=3)  # Debian's cron(8)


@lru_cache
def find(name: str) -> ZoneInfo:
    """Return the zone of this IANA name. Raises UnknownZoneError, which proposes a similar name."""
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
    """Name the rules for times that the clocks of a zone skip or show twice.

    EVERY: all times that are shown, both of two; a skipped one never. As Debian's cron runs `*/5 * * * *`.
    ONCE: a skipped time right after the gap, the first of two. As Debian's cron runs `30 2 * * *`.
    SHOWN: a skipped time never, the first of two. As EventBridge Scheduler runs `cron(…)`.
    """

    EVERY = "every"
    ONCE = "once"
    SHOWN = "shown"


def to_utc_times(local_times: Iterable[datetime], zone: ZoneInfo, rule: ClockChange) -> Iterator[datetime]:
    """Yield when a wall clock in `zone` shows these ascending times: UTC, strictly ascending."""
    last = datetime.min.replace(tzinfo=UTC)
    for moment in _in_order(local_times, zone, rule):
        if moment > last:
            last = moment
            yield moment


def walk_start(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return a local time so that every time shown after `moment` is later.

    In the first of two equal hours this is a time before the clock's: the second hour shows times again.
    """
    shown = moment.astimezone(zone)
    ahead = shown.replace(fold=0).utcoffset(), shown.replace(fold=1).utcoffset()
    assert ahead[0] is not None
    assert ahead[1] is not None
    back = max(ahead[0] - ahead[1], timedelta()) if shown.fold == 0 else timedelta()
    return shown.replace(tzinfo=None, fold=0) - back


def _in_order(local_times: Iterable[datetime], zone: ZoneInfo, rule: ClockChange) -> Iterator[datetime]:
    """Yield the moments in their order; those of a second hour wait until the first hour is over."""
    again: deque[datetime] = deque()
    for local in local_times:
        first, second = _utc_before_and_after(local, zone)
        moment = first if first <= second else _after_gap(first, second, zone, rule)
        if moment is None:
            continue
        while again and again[0] < moment:
            yield again.popleft()
        yield moment
        if first < second and (rule is ClockChange.EVERY or _is_correction(rule, second - first)):
            again.append(second)
    yield from again


def _utc_before_and_after(local: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the moments of a local time by the clock before a change, and by the clock after it.

    They are equal where nothing changes, ascending for a time that is shown twice, descending for a skipped one.
    """
    shown = local.replace(tzinfo=zone)
    return shown.astimezone(UTC), shown.replace(fold=1).astimezone(UTC)


def _after_gap(first: datetime, second: datetime, zone: ZoneInfo, rule: ClockChange) -> datetime | None:
    """Return when the clock had skipped a time that has these two moments; None if the rule leaves it out."""
    if rule is not ClockChange.ONCE or _is_correction(rule, first - second):
        return None
    offset = first.astimezone(zone).utcoffset()  # that of after the change, which came later than `second`
    seconds = range(1, int((first - second).total_seconds()) + 1)
    place = bisect_left(seconds, True, key=lambda s: (second + s * SECOND).astimezone(zone).utcoffset() == offset)
    return second + seconds[place] * SECOND


def _is_correction(rule: ClockChange, change: timedelta) -> bool:
    """Return whether Debian's cron takes a change for a correction of the clock, whose new time holds at once."""
    return rule is ClockChange.ONCE and change >= CLOCK_CORRECTION


def exists(local: datetime, zone: ZoneInfo) -> bool:
    """Return whether a wall clock in `zone` ever shows this time."""
    first, second = _utc_before_and_after(local, zone)
    return first <= second
