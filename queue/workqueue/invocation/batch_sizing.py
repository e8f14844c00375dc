"""How many requests a worker takes at once: as many as it has run, lately, within a few milliseconds.

Requests that were taken together wait for one another: the first for the transaction that finishes all, the last
for its turn. What that may cost is bounded here; that it is worth it is the database's doing, where a transaction
of twenty costs little more than one of one.
"""

from collections.abc import Iterable, Sequence

from workqueue.lifecycle import Claim

MAX_WAIT_S = 0.01  # how long one may wait for the others
OVERHEAD_S = 0.00004  # what a sandbox needs from one request to the next
MAX_BATCH_SIZE = 32  # at once; beyond it nothing more is gained
NEWEST_WEIGHT = 0.2  # of the newest measurement in the average
SLOW_AFTER_S = 0.02  # after so long the neighbours of one that still runs are let go (keeper)


class BatchSizer:
    """What the requests of each function took lately, in seconds."""

    def __init__(self) -> None:
        self._average_s: dict[str, float] = {}
        self._overall_average_s = MAX_WAIT_S  # of all functions together: a worker that knows nothing yet takes one

    def record_duration(self, function: str, ran_s: float) -> None:
        """One more request of this function ran for so long, in a warm sandbox."""
        lasting_s = ran_s + OVERHEAD_S
        before_s = self._average_s.get(function, lasting_s)
        self._average_s[function] = before_s + NEWEST_WEIGHT * (lasting_s - before_s)
        self._overall_average_s += NEWEST_WEIGHT * (min(lasting_s, MAX_WAIT_S) - self._overall_average_s)

    def prefetch_count(self) -> int:
        """How many it pays to take from a queue in which many wait."""
        return min(MAX_BATCH_SIZE, int(MAX_WAIT_S / self._overall_average_s))

    def runnable_count(self, claims: Sequence[Claim]) -> int:
        """How many of these run now, one after another; the others had better go back to the queue, unbegun.

        The first always runs. What has a cleanup hook or must never start twice runs alone: a hook takes its own
        time, and a worker that dies of something else must not fail what it had not begun.
        """
        left_s = MAX_WAIT_S - self._duration_s(claims[0])
        for number, claim in enumerate(claims[1:], start=1):
            left_s -= self._duration_s(claim)
            if left_s < 0 or _must_run_alone(claim) or _must_run_alone(claims[0]):
                return number
        return len(claims)

    def expected_s(self, claims: Iterable[Claim]) -> float:
        """How long these will run, one after another; at most what members of a group may wait for one another."""
        return min(sum(map(self._duration_s, claims)), MAX_WAIT_S)

    def _duration_s(self, claim: Claim) -> float:
        return self._average_s.get(claim.function_name, MAX_WAIT_S)


def _must_run_alone(claim: Claim) -> bool:
    return claim.on_lost == "fail" or (claim.function is not None and claim.function.has_cleanup)
