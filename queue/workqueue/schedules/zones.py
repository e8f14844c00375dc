"""Local times as moments, where clocks skip an hour in spring and repeat one in autumn. Pure."""

import difflib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from workqueue.errors import UnknownZoneError

MINUTE = timedelta(minutes=1)


@lru_cache
def find(name: str) -> ZoneInfo:
    """The zone of this IANA name. Raises UnknownZoneError, which proposes one that looks like it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = {zone.lower(): zone for zone in available_timezones()}
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
        proposal = known[near[0]] if near else "Europe/Berlin"
        raise UnknownZoneError(f"there is no time zone {name[:64]!r}; a valid one is {proposal}") from None


def moments(local_times: Iterable[datetime], zone: ZoneInfo, *, make_up: bool) -> Iterator[datetime]:
    """When a wall clock in `zone` shows these ascending times: UTC, strictly ascending.

    A time that is shown twice counts at the first. One that is not shown, because the clocks skip it, is left out;
    with make_up it counts at the next minute that is shown.
    """
    last = None
    for local in local_times:
        shown = local
        while make_up and not exists(shown, zone):
            shown += MINUTE
        if exists(shown, zone):
            moment = shown.replace(tzinfo=zone).astimezone(UTC)
            if last is None or moment > last:
                last = moment
                yield moment


def exists(local: datetime, zone: ZoneInfo) -> bool:
    """Whether a wall clock in `zone` ever shows this time."""
    return local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local
