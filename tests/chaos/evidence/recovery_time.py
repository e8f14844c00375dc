"""Measure how long requests of lost workers waited for their next attempt."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.evidence.collect import Evidence, Row
from tests.chaos.evidence.verdict import Violation

PROMISED_S = 2.0  # beyond a lease (contract, section 7)
# A fault of a pool is a fault of its workers.
POOL_HITS = ("kill runtime", "kill pool", "term pool", "freeze pool")
ENDINGS = ("kill worker", "lone kill worker", "freeze worker", "lone freeze worker")


@dataclass(frozen=True, slots=True)
class Recovery:
    """Hold one recovery.

    took_s: seconds from the last heartbeat to the next attempt. alone: no other fault happened meanwhile.

    undisturbed_s: from the end of the last thing that was.
    """

    id: str
    attempt: int
    took_s: float
    undisturbed_s: float
    alone: bool


def find_recoveries(evidence: Evidence) -> list[Recovery]:
    return [found for id, attempts in evidence.attempts.items() for found in _of(evidence, id, attempts)]


def _of(evidence: Evidence, id: str, attempts: list[Row]) -> Iterator[Recovery]:
    for lost, following in pairwise(attempts):
        # A retried request waited for its client.
        if lost["outcome"] != "lost" or id in evidence.record.retried:
            continue
        sign = _last_sign(evidence, lost)
        if sign is None:
            continue
        next_start = evidence.clock.monotonic(following["started_at"])
        others = evidence.event_log.between(sign, next_start)
        around = [found for found in others if found.disturbs and found.at != sign]
        calm_from = min(next_start, max((found.until for found in around), default=sign))
        yield Recovery(id, lost["number"], next_start - sign, next_start - calm_from, not around)


def _last_sign(evidence: Evidence, lost: Row) -> float | None:
    """Return when its worker was killed or frozen; None if it was not."""
    pid = evidence.workers.get(lost["worker"])
    started = evidence.clock.monotonic(lost["started_at"])
    ended = evidence.clock.monotonic(lost["finished_at"])
    hits = [
        found.at
        for found in evidence.event_log.events
        if found.pid == pid and found.kind in ENDINGS and started <= found.at <= ended
    ]
    return max(hits, default=None)


def lost_without_reason(evidence: Evidence) -> Iterator[Violation]:
    """Find lost requests of workers that no fault hit."""
    for id, attempts in evidence.attempts.items():
        for lost in attempts:
            if lost["outcome"] == "lost" and lost["error_type"] == "WorkerLost" and not _was_hit(evidence, lost):
                yield Violation(f"attempt {lost['number']} was lost, and nothing was done to its worker", id)


def _was_hit(evidence: Evidence, lost: Row) -> bool:
    pid = evidence.workers.get(lost["worker"])
    span = (evidence.clock.monotonic(lost["started_at"]), evidence.clock.monotonic(lost["finished_at"]))
    hits = [found for found in evidence.event_log.between(*span) if found.pid == pid or found.kind in POOL_HITS]
    return pid is None or bool(hits)


def too_slow(found: list[Recovery], lease_s: float) -> Iterator[Violation]:
    for recovery in found:
        if recovery.alone and recovery.took_s > lease_s + PROMISED_S:
            yield Violation(
                f"after attempt {recovery.attempt} was lost the next one came {recovery.took_s:.1f} s later",
                recovery.id,
            )
