"""Decide how many requests a worker claims at once: as many as it recently ran within a few milliseconds.

Members of a batch wait for each other: the first for the common transaction, the last for its start. MAX_WAIT_S bounds
this wait. It pays because a transaction that finishes twenty requests costs PostgreSQL little more than one for one.
"""

from collections.abc import Iterable, Sequence

from workqueue.lifecycle import Claim

MAX_WAIT_S = 0.01  # how long one member may wait for the others
OVERHEAD_S = 0.00004  # overhead of a sandbox between two requests
MAX_BATCH_SIZE = 32  # larger batches gain nothing more
NEWEST_WEIGHT = 0.2  # of the newest measurement in the average
SLOW_AFTER_S = 0.02  # the lease renewer then releases the members behind a running one


class BatchSizer:
    """Track how long recent requests of each function took."""

    def __init__(self) -> None:
        self._average_s: dict[str, float] = {}
        self._overall_average_s = MAX_WAIT_S  # over all functions; a new worker, which has measured nothing, claims one

    def record_duration(self, function: str, ran_s: float) -> None:
        """Count one more request of this function, which ran for `ran_s` seconds in a warm sandbox."""
        lasting_s = ran_s + OVERHEAD_S
        before_s = self._average_s.get(function, lasting_s)
        self._average_s[function] = before_s + NEWEST_WEIGHT * (lasting_s - before_s)
        self._overall_average_s += NEWEST_WEIGHT * (min(lasting_s, MAX_WAIT_S) - self._overall_average_s)

    def prefetch_count(self) -> int:
        """Return how many requests to claim from a queue in which many wait."""
        return min(MAX_BATCH_SIZE, int(MAX_WAIT_S / self._overall_average_s))

    def runnable_count(self, claims: Sequence[Claim]) -> int:
        """Return how many of these claims to run now; the caller releases the others.

        The first always runs. A request with a cleanup hook, or one that must never start twice, runs alone: a hook
        takes its own time, and a worker that dies of one request must not fail another that it did not start.
        """
        left_s = MAX_WAIT_S - self._duration_s(claims[0])
        for number, claim in enumerate(claims[1:], start=1):
            left_s -= self._duration_s(claim)
            if left_s < 0 or _must_run_alone(claim) or _must_run_alone(claims[0]):
                return number
        return len(claims)

    def expected_s(self, claims: Iterable[Claim]) -> float:
        """Return how long these claims will run, one after another; at most MAX_WAIT_S."""
        return min(sum(map(self._duration_s, claims)), MAX_WAIT_S)

    def _duration_s(self, claim: Claim) -> float:
        return self._average_s.get(claim.function_name, MAX_WAIT_S)


def _must_run_alone(claim: Claim) -> bool:
    return claim.on_lost == "fail" or (claim.function is not None and claim.function.has_cleanup)
