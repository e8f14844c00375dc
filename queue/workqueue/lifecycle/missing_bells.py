"""Find pending requests that need a bell, and mark those for which the reconciler rang."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine, TextClause, text

from schema.steps import Steps
from workqueue.transport.doorbell import Bell

# Walk the index queue by queue: a million requests of a paused queue must not be scanned.
ACTIVE_QUEUES = """
    WITH RECURSIVE waiting (queue) AS (
        (SELECT queue FROM processing_request WHERE status = 'pending' ORDER BY queue LIMIT 1)
        UNION ALL
        SELECT (SELECT r.queue FROM processing_request r WHERE r.status = 'pending' AND r.queue > w.queue
                ORDER BY r.queue LIMIT 1)
        FROM waiting w WHERE w.queue IS NOT NULL
    ), active (queue) AS (
        SELECT queue FROM waiting w WHERE NOT EXISTS (SELECT FROM paused_queue p WHERE p.name = w.queue)
    )
    """
SELECT_UNQUEUED = text(
    f"""{ACTIVE_QUEUES}
    SELECT r.* FROM active l CROSS JOIN LATERAL (
        SELECT id, attempt, queue, function, available_at FROM processing_request
        WHERE status = 'pending' AND queue = l.queue AND rung_at IS NULL AND available_at <= :now
        ORDER BY available_at LIMIT :limit
    ) r ORDER BY available_at LIMIT :limit
    """  # noqa: S608 - composed of constants
)
SELECT_STALE = text(
    f"""{ACTIVE_QUEUES}
    SELECT r.* FROM active l CROSS JOIN LATERAL (
        (SELECT id, attempt, queue, function, rung_at FROM processing_request
         WHERE status = 'pending' AND queue = l.queue AND rung_at < :before
         ORDER BY rung_at LIMIT :limit)
        UNION ALL
        (SELECT id, attempt, queue, function, rung_at FROM processing_request
         WHERE status = 'pending' AND queue = l.queue AND rung_at > :ahead
         ORDER BY rung_at LIMIT :limit)
    ) r ORDER BY rung_at LIMIT :limit
    """  # noqa: S608 - composed of constants
)
# In the order of the queues, which is the worker's priority.
SELECT_OVERDUE = text(
    f"""{ACTIVE_QUEUES}
    SELECT r.id FROM active l CROSS JOIN LATERAL (
        (SELECT id, rung_at AS since FROM processing_request
         WHERE status = 'pending' AND queue = l.queue AND rung_at < :before AND NOT function = ANY(:lacking)
         ORDER BY rung_at LIMIT :limit)
        UNION ALL
        (SELECT id, available_at FROM processing_request
         WHERE status = 'pending' AND queue = l.queue AND rung_at IS NULL AND available_at <= :now
           AND NOT function = ANY(:lacking)
         ORDER BY available_at LIMIT :limit)
    ) r WHERE l.queue = ANY(:queues) ORDER BY array_position(:queues, l.queue), r.since LIMIT :limit
    """  # noqa: S608 - composed of constants
)
MAX_BELLS = 5000  # found by one call
MAX_CLOCK_SKEW = timedelta(seconds=5)  # two clocks differ by more only if one of them was set


def find_unqueued(engine: Engine, now: datetime) -> list[Bell]:
    """Return bells for due requests that have none, in queues that are not paused."""
    return _bells(engine, SELECT_UNQUEUED, {"now": now, "limit": MAX_BELLS})


def find_stale_queued(engine: Engine, before: datetime) -> list[Bell]:
    """Return bells for pending requests whose bell was rung before then, oldest first, in queues that are not paused.

    Last come requests whose bell was rung in the future: by a clock that was set back since.
    """
    return _bells(engine, SELECT_STALE, {"before": before, "ahead": before + MAX_CLOCK_SKEW, "limit": MAX_BELLS})


def overdue_steps(
    queues: Sequence[str], now: datetime, before: datetime, limit: int, lacking: Sequence[str]
) -> Steps[list[UUID]]:
    """Return steps that find due requests whose bell was rung before then, or not at all.

    queues: to look in, by priority; paused ones are skipped. lacking: functions whose requests are skipped.
    """
    values = {"queues": list(queues), "now": now, "before": before, "limit": limit, "lacking": list(lacking)}
    rows = yield SELECT_OVERDUE, values
    return [row.id for row in rows]


def _bells(engine: Engine, statement: TextClause, values: dict[str, object]) -> list[Bell]:
    with engine.connect() as connection:
        rows = connection.execute(statement, values)
        return [Bell(row.id, row.attempt + 1, row.queue, row.function) for row in rows]


# A mark means that the request is due (claim.py): one that was given back for a later time since must not get it.
# A row that a worker is claiming right now is skipped: to wait for it could deadlock, since a claim locks many rows.
MARK_RUNG = text(
    """
    UPDATE processing_request SET rung_at = :now WHERE id = ANY(ARRAY(
        SELECT id FROM processing_request
        WHERE id = ANY(:ids) AND (status = 'pending') IS TRUE -- so that no index of pending requests is read
          AND (available_at <= :now OR rung_at IS NOT NULL)
        FOR UPDATE SKIP LOCKED
    ))
    """
)


def mark_rung(engine: Engine, bells: Sequence[Bell], now: datetime) -> None:
    """Store when the bells were rung, so that the reconciler leaves workers time to answer them."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL synchronous_commit = off"))
        connection.execute(MARK_RUNG, {"now": now, "ids": [bell.request_id for bell in bells]})
