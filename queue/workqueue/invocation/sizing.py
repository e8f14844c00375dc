"""Decide how many sandboxes a function gets, how many requests each is sent ahead, and how many are claimed. Pure.

Short requests gain from waiting in a sandbox behind each other: the sandbox never idles, and one transaction, one write
to Redis and one wake-up of the worker serve many. A long request would only delay those behind it.
"""

from dataclasses import dataclass
from math import ceil

AHEAD_S = 0.004  # work that a sandbox has at most in front of it
MAX_AHEAD = 32  # requests; more gain nothing
OVERHEAD_S = 0.00004  # overhead of a sandbox between two requests
WAIT_WEIGHT = 2  # between two requests a sandbox waits about as long as within one that waits: for the worker
NEWEST_WEIGHT = 0.2  # of the newest measurement in an average
SLOW_S = 0.02  # a request that runs for longer is recalled from: those behind it get another sandbox


@dataclass(slots=True)
class FunctionLoad:
    """Averages of recent requests of one function. duration_s: with overhead. cpu_s: processor time of the sandbox."""

    duration_s: float | None = None
    cpu_s: float = 0.0

    def record(self, duration_s: float, cpu_s: float) -> None:
        """Count one more request, as its sandbox measured it, without the time that it waited for a processor."""
        duration_s, cpu_s = duration_s + OVERHEAD_S, min(cpu_s, duration_s) + OVERHEAD_S
        if self.duration_s is None:
            self.duration_s, self.cpu_s = duration_s, cpu_s
        else:
            self.duration_s += NEWEST_WEIGHT * (duration_s - self.duration_s)
            self.cpu_s += NEWEST_WEIGHT * (cpu_s - self.cpu_s)

    @property
    def is_slow(self) -> bool:
        """Return True if a request of this function would wait too long for the end of another one."""
        return self.duration_s is None or self.duration_s >= SLOW_S

    @property
    def is_short(self) -> bool:
        """Return True if requests of this function may wait behind each other."""
        return self.duration_s is not None and self.duration_s <= AHEAD_S


def sandboxes_wanted(load: FunctionLoad, slots: int, cores: int) -> int:
    """Return how many sandboxes serve a function best: as many as keep all cores busy, at most `slots`.

    A function that is unknown, or not short, gets a sandbox for each request.
    """
    if load.duration_s is None or load.is_slow:
        return slots
    waited_s = load.duration_s - load.cpu_s
    return max(1, min(slots, ceil(cores * (1 + WAIT_WEIGHT * waited_s / load.cpu_s))))


def room_ahead(load: FunctionLoad, queued: int) -> int:
    """Return how many more requests a sandbox may be sent that has `queued` ones; 0 while it has half of its share.

    So requests are sent in groups, not one by one.
    """
    if not load.is_short or load.duration_s is None:
        return 0
    share = min(MAX_AHEAD, int(AHEAD_S / load.duration_s))
    return share - queued if queued <= share // 2 else 0


def claim_count(duration_s: float | None, free_slots: int, active: int, held: int) -> int:
    """Return how many more requests a worker can start at once, send ahead, or keep for the next free sandbox.

    duration_s: the average duration of recent requests. active: how many sandboxes serve them best. held: requests that
    are claimed and have not ended.
    """
    if duration_s is None or duration_s >= SLOW_S:
        return max(0, free_slots)
    each = max(2, min(MAX_AHEAD, int(AHEAD_S / duration_s)))  # one runs, and another one follows at once
    return max(0, free_slots, max(1, active) * each - held)
