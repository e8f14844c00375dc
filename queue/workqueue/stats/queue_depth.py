"""Count the waiting requests of each queue, by the index of pending requests, up to a limit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from redis.exceptions import RedisError
from sqlalchemy import Connection, text

from workqueue.transport.doorbell import Doorbell

MAX_COUNTED = 20_000  # per queue; above it the length comes from Redis, which does not need to count

COUNT_WAITING = text(
    """
    WITH RECURSIVE waiting (queue) AS (
        (SELECT queue FROM processing_request WHERE status = 'pending' ORDER BY queue LIMIT 1)
        UNION ALL
        SELECT (SELECT r.queue FROM processing_request r WHERE r.status = 'pending' AND r.queue > w.queue
                ORDER BY r.queue LIMIT 1)
        FROM waiting w WHERE w.queue IS NOT NULL
    )
    SELECT w.queue, rung.count + silent.count AS due, later.count AS later, least(rung.oldest, silent.oldest) AS oldest
    FROM waiting w
    CROSS JOIN LATERAL (
        SELECT count(*), min(available_at) AS oldest FROM (
            SELECT available_at FROM processing_request
            WHERE status = 'pending' AND queue = w.queue AND rung_at IS NOT NULL ORDER BY rung_at LIMIT :most
        ) r
    ) rung
    CROSS JOIN LATERAL (
        SELECT count(*), min(available_at) AS oldest FROM (
            SELECT available_at FROM processing_request
            WHERE status = 'pending' AND queue = w.queue AND rung_at IS NULL AND available_at <= :now
            ORDER BY available_at LIMIT :most
        ) s
    ) silent
    CROSS JOIN LATERAL (
        SELECT count(*) FROM (
            SELECT FROM processing_request
            WHERE status = 'pending' AND queue = w.queue AND rung_at IS NULL AND available_at > :now LIMIT :most
        ) l
    ) later
    WHERE w.queue IS NOT NULL
    """
)
COUNT_BY_FUNCTION = text(
    """
    SELECT function, status, count(*) FROM (
        (SELECT function, status FROM processing_request WHERE status = 'pending' LIMIT :most)
        UNION ALL
        (SELECT function, status FROM processing_request WHERE status = 'processing' LIMIT :most)
    ) live GROUP BY function, status
    """
)


@dataclass(frozen=True, slots=True)
class Depth:
    """The waiting requests of a queue. due: may start now. later: may not start yet. oldest: the oldest due time."""

    due: int = 0
    later: int = 0
    oldest: datetime | None = None

    @property
    def is_capped(self) -> bool:
        """Return True if counting stopped at MAX_COUNTED."""
        return self.due >= MAX_COUNTED


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue with its depth. workers: how many live workers serve it."""

    name: str
    depth: Depth
    paused_at: datetime | None
    workers: int


def force_index_scans(connection: Connection) -> None:
    """Forbid sequential and bitmap scans in this transaction. A bitmap scan reads all waiting rows despite LIMIT."""
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    connection.execute(text("SET LOCAL enable_bitmapscan = off"))


def count_depths(connection: Connection, now: datetime) -> dict[str, Depth]:
    """Return the depths of all queues with waiting requests, by name."""
    force_index_scans(connection)
    rows = connection.execute(COUNT_WAITING, {"now": now, "most": MAX_COUNTED})
    return {row.queue: Depth(row.due, row.later, row.oldest) for row in rows}


def count_live_by_function(connection: Connection) -> dict[str, dict[str, int]]:
    """Return function → status → count of pending and processing requests, from at most MAX_COUNTED rows per status."""
    force_index_scans(connection)
    counts: dict[str, dict[str, int]] = {}
    for row in connection.execute(COUNT_BY_FUNCTION, {"most": MAX_COUNTED}):
        counts.setdefault(row.function, {})[row.status] = row[2]
    return counts


def add_uncounted(depths: Mapping[str, Depth], doorbell: Doorbell) -> dict[str, Depth]:
    """Replace capped counts by the number of bells in Redis, if that is larger and Redis is available."""
    capped = [name for name, depth in depths.items() if depth.is_capped]
    if not capped:
        return dict(depths)
    try:
        bells = doorbell.queue_lengths(capped)
    except RedisError:
        return dict(depths)
    longer = {
        name: Depth(max(depths[name].due, bells[name]), depths[name].later, depths[name].oldest) for name in capped
    }
    return {**depths, **longer}


def list_queues(
    depths: Mapping[str, Depth],
    paused: Mapping[str, datetime],
    served: Sequence[str],
    serving: Sequence[Sequence[str]],
) -> list[Queue]:
    """Return all queues: those of `served` in their order, then the others. serving: the queues of each live worker."""
    others = sorted({*depths, *paused, *(name for names in serving for name in names)} - set(served))
    return [
        Queue(name, depths.get(name, Depth()), paused.get(name), sum(name in names for names in serving))
        for name in (*served, *others)
    ]
