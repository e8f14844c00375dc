"""The reconciler's moves: leases that lapsed, and bells that nobody answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, TextClause, text

from schema.engine import to_json
from schema.statuses import CANCELLED, Outcome, Status
from workqueue.functions.retry_policy import Fail, Policy, after_loss
from workqueue.lifecycle.values import AttemptRecord, LogLine
from workqueue.outcomes import CancelledError
from workqueue.transport.doorbell import Bell

LOST = "The worker {worker} was lost: it did not extend its lease."


@dataclass(frozen=True, slots=True)
class ExpiredLease:
    """An attempt whose worker was lost; names are those of a claim.

    record: how it ended, with what the worker had told of it. status: the request's now.
    """

    request_id: UUID
    function_name: str
    attempt: int
    worker: str
    queue: str
    schedule: str | None
    traceparent: str | None
    available_at: datetime
    claimed_at: datetime
    record: AttemptRecord
    status: Status


LAPSED = text(
    """
    SELECT r.id, r.function, r.attempt, r.worker, r.queue, r.schedule, r.traceparent, r.available_at, r.started_at,
           r.losses, r.on_lost, r.cancel_requested, a.phases, a.cold_start, a.init_ms
    FROM processing_request r LEFT JOIN request_attempt a ON a.request_id = r.id AND a.number = r.attempt
    WHERE r.status = 'processing' AND r.lease_expires_at < :now
    ORDER BY r.lease_expires_at LIMIT :limit
    FOR UPDATE OF r SKIP LOCKED
    """
)
RERUN = text(
    """
    UPDATE processing_request
    SET status = 'pending', phase = NULL, available_at = :now, rung_at = NULL, lease_expires_at = NULL,
        worker = NULL, losses = losses + 1, error_type = 'WorkerLost', error_message = :message
    WHERE id = :id
    """
)
GIVE_UP = text(
    """
    UPDATE processing_request
    SET status = 'failed', finished_at = :now, lease_expires_at = NULL, losses = losses + 1,
        error_type = :error_type, error_message = :message
    WHERE id = :id
    """
)
CLOSE = text(
    """
    UPDATE request_attempt
    SET outcome = :outcome, finished_at = :now, error_type = :error_type, error_message = :message
    WHERE request_id = :id AND number = :attempt
    """
)


def expire_leases(engine: Engine, now: datetime, limit: int = 500) -> list[ExpiredLease]:
    """processing → pending or failed, for every lease that lapsed. A crash in it changes nothing."""
    with engine.begin() as connection:
        lapsed = [_found(row) for row in connection.execute(LAPSED, {"now": now, "limit": limit})]
        for each in lapsed:
            values = {
                "id": each.request_id,
                "attempt": each.attempt,
                "now": now,
                "outcome": each.record.outcome,
                "error_type": each.record.error_type,
                "message": each.record.error_message,
            }
            connection.execute(GIVE_UP if each.status is Status.FAILED else RERUN, values)
            connection.execute(CLOSE, values)
        return lapsed


def _found(row: Any) -> ExpiredLease:
    cancelled = row.cancel_requested
    gives_up = cancelled or isinstance(after_loss(Policy(on_lost=row.on_lost), row.losses + 1), Fail)
    record = AttemptRecord(
        outcome=Outcome.CANCELLED if cancelled else Outcome.LOST,
        phases=row.phases or [],
        cold_start=row.cold_start,
        init_ms=row.init_ms,
        error_type=CANCELLED if cancelled else "WorkerLost",
        error_message=str(CancelledError()) if cancelled else LOST.format(worker=row.worker),
    )
    return ExpiredLease(
        request_id=row.id,
        function_name=row.function,
        attempt=row.attempt,
        worker=row.worker,
        queue=row.queue,
        schedule=row.schedule,
        traceparent=row.traceparent,
        available_at=row.available_at,
        claimed_at=row.started_at,
        record=record,
        status=Status.FAILED if gives_up else Status.PENDING,
    )


@dataclass(frozen=True, slots=True)
class LostLine:
    """A line that a request printed, and that its worker was killed before it had stored."""

    request_id: UUID
    attempt: int
    line: LogLine


# Of no attempt but that worker's own, and of none that it has stored an end of: that is complete. Some may be there.
KEEP_LINES = text(
    """
    INSERT INTO request_log (request_id, attempt, number, time, stream, line)
    SELECT d.request_id, d.attempt, d.number, d.time, d.stream, d.line
    FROM json_to_recordset(CAST(:lines AS json)) AS d (
        request_id uuid, attempt int, number int, time timestamptz, stream text, line text
    ) JOIN request_attempt a ON a.request_id = d.request_id AND a.number = d.attempt
    WHERE a.worker = :worker AND coalesce(a.outcome, 'lost') IN ('lost', 'cancelled')
    ON CONFLICT DO NOTHING
    """
)


def store_lost_lines(engine: Engine, worker: str, lines: Sequence[LostLine]) -> int:
    """Stores what a lost worker had read of its requests' output. Gives how many lines are new."""
    rows = [
        {
            "request_id": str(lost.request_id),
            "attempt": lost.attempt,
            "number": lost.line.number,
            "time": lost.line.time.isoformat(),
            "stream": lost.line.stream,
            "line": lost.line.line,
        }
        for lost in lines
    ]
    with engine.begin() as connection:
        return connection.execute(KEEP_LINES, {"worker": worker, "lines": to_json(rows)}).rowcount


# Queue by queue, each by its own part of the index: a million that wait in a paused one are not walked through.
LIVELY = """
    WITH RECURSIVE waiting (queue) AS (
        (SELECT queue FROM processing_request WHERE status = 'pending' ORDER BY queue LIMIT 1)
        UNION ALL
        SELECT (SELECT r.queue FROM processing_request r WHERE r.status = 'pending' AND r.queue > w.queue
                ORDER BY r.queue LIMIT 1)
        FROM waiting w WHERE w.queue IS NOT NULL
    ), lively (queue) AS (
        SELECT queue FROM waiting w WHERE NOT EXISTS (SELECT FROM paused_queue p WHERE p.name = w.queue)
    )
    """
SILENT = text(
    f"""{LIVELY}
    SELECT r.* FROM lively l CROSS JOIN LATERAL (
        SELECT id, attempt, queue, function, available_at FROM processing_request
        WHERE status = 'pending' AND queue = l.queue AND rung_at IS NULL AND available_at <= :now
        ORDER BY available_at LIMIT :limit
    ) r ORDER BY available_at LIMIT :limit
    """  # noqa: S608 - of constants
)
UNANSWERED = text(
    f"""{LIVELY}
    SELECT r.* FROM lively l CROSS JOIN LATERAL (
        (SELECT id, attempt, queue, function, rung_at FROM processing_request
         WHERE status = 'pending' AND queue = l.queue AND rung_at < :before
         ORDER BY rung_at LIMIT :limit)
        UNION ALL
        (SELECT id, attempt, queue, function, rung_at FROM processing_request
         WHERE status = 'pending' AND queue = l.queue AND rung_at > :ahead
         ORDER BY rung_at LIMIT :limit)
    ) r ORDER BY rung_at LIMIT :limit
    """  # noqa: S608 - of constants
)
AT_ONCE = 5000
AHEAD = timedelta(seconds=5)  # no two clocks disagree by so much, unless one was set since


def find_unqueued(engine: Engine, now: datetime) -> list[Bell]:
    """The bells of requests that are due, and for which nobody rang; none of a paused queue."""
    return _bells(engine, SILENT, {"now": now, "limit": AT_ONCE})


def find_stale_queued(engine: Engine, before: datetime) -> list[Bell]:
    """The bells that were rung before then, longest ago first, of what is still pending; none of a paused queue.

    Last those that were rung later than now: by a clock that was set back since.
    """
    return _bells(engine, UNANSWERED, {"before": before, "ahead": before + AHEAD, "limit": AT_ONCE})


def _bells(engine: Engine, statement: TextClause, values: dict[str, object]) -> list[Bell]:
    with engine.connect() as connection:
        rows = connection.execute(statement, values)
        return [Bell(row.id, row.attempt + 1, row.queue, row.function) for row in rows]


# What was claimed and given back since, for later, gets none: a mark says that the request is due (claiming.py).
# What is being claimed right now needs no mark; to wait for it could be a deadlock, since a claim locks many rows.
MARK_RUNG = text(
    """
    UPDATE processing_request SET rung_at = :now WHERE id = ANY(ARRAY(
        SELECT id FROM processing_request
        WHERE id = ANY(:ids) AND status = 'pending' AND (available_at <= :now OR rung_at IS NOT NULL)
        FOR UPDATE SKIP LOCKED
    ))
    """
)


def mark_rung(engine: Engine, bells: Sequence[Bell], now: datetime) -> None:
    """Notes when the bells were rung, so that the next look leaves them time to be answered."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL synchronous_commit = off"))
        connection.execute(MARK_RUNG, {"now": now, "ids": [bell.request_id for bell in bells]})
