"""How a schedule treats a tick that came too late, and one that comes while the request before still runs."""

from enum import StrEnum


class Misfire(StrEnum):
    """What becomes of ticks that were missed by more than the grace."""

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


class Overlap(StrEnum):
    """What becomes of a tick while the schedule's request before has not ended."""

    ALLOW = "allow"
    SKIP = "skip"


class TickOutcome(StrEnum):
    """What a tick did."""

    FIRED = "fired"
    OVERLAPPED = "overlapped"
