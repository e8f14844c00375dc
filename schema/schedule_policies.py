"""Policies of a schedule: for missed ticks, and for ticks that come while the previous request still runs."""

from enum import StrEnum


class Misfire(StrEnum):
    """How to treat ticks that are later than misfire_grace_s."""

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


class Overlap(StrEnum):
    """How to treat a tick while the schedule's previous request has not ended."""

    ALLOW = "allow"
    SKIP = "skip"


class TickOutcome(StrEnum):
    """Whether a tick created a request, or was dropped because of the overlap policy."""

    FIRED = "fired"
    OVERLAPPED = "overlapped"
