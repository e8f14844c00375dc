"""Recover what lost workers held, repair times after a step of the clock, and fail what no worker can run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from schema.engine import autocommit, to_json
from schema.statuses import CANCELLED, Outcome, Status
from workqueue.functions.retry_policy import Fail, Policy, after_loss
from workqueue.lifecycle.attempt_data import EPOCH, MICROSECOND, AttemptRecord, LogLine, PhaseRecord
from workqueue.lifecycle.attempt_rows import CLEAR_ATTEMPT, EARLIER_COLUMNS
from workqueue.outcomes import CancelledError

LOST_MESSAGE = "The worker {worker} was lost: it did not extend its lease."


@dataclass(frozen=True, slots=True)
class ExpiredLease:
    """Hold an attempt whose worker was lost; the fields are named as those of a claim.

    record: its outcome, with the phases that the worker had stored. status: the request's, after the recovery.
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

    def log_fields(self) -> dict[str, object]:
        """Return the fields by which log lines name it."""
        return {
            "request_id": str(self.request_id),
            "attempt": self.attempt,
            "function": self.function_name,
            "worker": self.worker,
            "outcome": self.record.outcome,
            "status": self.status,
        }


SELECT_LEASE = """
    SELECT r.id, r.function, r.attempt, r.worker, r.queue, r.schedule, r.traceparent, r.available_at, r.started_at,
           r.losses, r.on_lost, r.cancel_requested, expand_phases(r.phases) AS phases, r.cold_start, r.init_ms
    FROM processing_request r WHERE r.status = 'processing' AND """
SELECT_EXPIRED = text(
    f"{SELECT_LEASE} r.lease_expires_at < :now ORDER BY r.lease_expires_at LIMIT :limit FOR UPDATE SKIP LOCKED"
)
SELECT_HELD_BY = text(f"{SELECT_LEASE} r.worker = :worker ORDER BY r.id LIMIT :limit FOR UPDATE")
# The rows are locked by the statement that selected them.
EXPIRE = text(
    f"""
    WITH expired AS (
        SELECT * FROM json_to_recordset(CAST(:expired AS json)) AS d (
            id uuid, status text, outcome text, error_type text, error_message text
        )
    ), moved AS (
        INSERT INTO earlier_attempt ({EARLIER_COLUMNS})
        SELECT id, r.attempt, d.outcome, r.worker, r.started_at, :now, coalesce(r.phases, '[]'), r.cold_start,
               r.init_ms, NULL, d.error_type, d.error_message, NULL
        FROM expired d JOIN processing_request r USING (id) WHERE d.status = 'pending'
    ), requeued AS (
        UPDATE processing_request r
        SET status = 'pending', phase = NULL, available_at = :now, rung_at = NULL, lease_expires_at = NULL,
            worker = NULL, losses = losses + 1, error_type = d.error_type, error_message = d.error_message,
            {CLEAR_ATTEMPT}
        FROM expired d WHERE r.id = d.id AND d.status = 'pending'
    )
    UPDATE processing_request r
    SET status = 'failed', finished_at = :now, lease_expires_at = NULL, losses = losses + 1,
        error_type = d.error_type, error_message = d.error_message, outcome = d.outcome, current_lines = NULL
    FROM expired d WHERE r.id = d.id AND d.status = 'failed'
    """  # noqa: S608 - composed of constants
)


def expire_leases(engine: Engine, now: datetime, limit: int = 500) -> list[ExpiredLease]:
    """Give back or fail every request whose lease has expired: processing → pending or failed. One transaction."""
    with engine.begin() as connection:
        return _end_leases(connection, connection.execute(SELECT_EXPIRED, {"now": now, "limit": limit}), now)


def end_leases_of(engine: Engine, worker: str, now: datetime, limit: int = 500) -> list[ExpiredLease]:
    """Do the same for the requests of a worker whose process has ended, before their leases expire."""
    with engine.begin() as connection:
        return _end_leases(connection, connection.execute(SELECT_HELD_BY, {"worker": worker, "limit": limit}), now)


def _end_leases(connection: Connection, rows: Iterable[Any], now: datetime) -> list[ExpiredLease]:
    expired = [_expired_lease(row) for row in rows]
    endings = [
        {
            "id": str(lease.request_id),
            "status": lease.status,
            "outcome": lease.record.outcome,
            "error_type": lease.record.error_type,
            "error_message": lease.record.error_message,
        }
        for lease in expired
    ]
    if endings:
        connection.execute(EXPIRE, {"expired": to_json(endings), "now": now})
    return expired


def _read_phase(
    phase: str,
    started_at: str,
    duration_ms: float | None = None,
    outcome: str | None = None,
    error: str | None = None,
    finished_at: str | None = None,  # noqa: ARG001 - start and duration give it
) -> PhaseRecord:
    duration_us = None if duration_ms is None else round(duration_ms * 1000)
    return PhaseRecord(phase, (datetime.fromisoformat(started_at) - EPOCH) // MICROSECOND, duration_us, outcome, error)


def _expired_lease(row: Any) -> ExpiredLease:
    cancelled = row.cancel_requested
    fails = cancelled or isinstance(after_loss(Policy(on_lost=row.on_lost), row.losses + 1), Fail)
    record = AttemptRecord(
        outcome=Outcome.CANCELLED if cancelled else Outcome.LOST,
        phases=[_read_phase(**entry) for entry in row.phases or []],
        cold_start=row.cold_start,
        init_ms=row.init_ms,
        error_type=CANCELLED if cancelled else "WorkerLost",
        error_message=str(CancelledError()) if cancelled else LOST_MESSAGE.format(worker=row.worker),
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
        status=Status.FAILED if fails else Status.PENDING,
    )


@dataclass(frozen=True, slots=True)
class LostLine:
    """Hold a line that a request printed and that its worker did not store before it was lost."""

    request_id: UUID
    attempt: int
    line: LogLine


# Insert only lines of this worker's unfinished attempts: the log of a finished one is complete. Skip lines already
# stored. The lock keeps the request until its lines are stored: no line outlives it. Both tables are read by key; a
# join with the view request_attempt would read them from end to end.
STORE_LOST_LINES = text(
    """
    WITH lost AS (
        SELECT * FROM json_to_recordset(CAST(:lines AS json)) AS d (
            request_id uuid, attempt int, number int, time timestamptz, stream text, line text
        )
    ), existing AS MATERIALIZED (
        SELECT id, attempt, worker, status = 'processing' OR outcome IN ('lost', 'cancelled') AS is_unfinished
        FROM processing_request WHERE id = ANY(ARRAY(SELECT request_id FROM lost)) ORDER BY id FOR KEY SHARE
    ), unfinished AS MATERIALIZED (
        SELECT id AS request_id, attempt FROM existing WHERE worker = :worker AND is_unfinished
        UNION ALL
        SELECT a.request_id, a.number FROM existing JOIN earlier_attempt a ON a.request_id = existing.id
        WHERE a.worker = :worker AND a.outcome IN ('lost', 'cancelled')
    )
    INSERT INTO request_log (request_id, attempt, number, time, stream, line)
    SELECT request_id, attempt, number, time, stream, line FROM lost JOIN unfinished USING (request_id, attempt)
    ON CONFLICT DO NOTHING
    """
)


def store_lost_lines(engine: Engine, worker: str, lines: Sequence[LostLine]) -> int:
    """Store lines that a lost worker had read but not stored. Return how many are new."""
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
        return connection.execute(STORE_LOST_LINES, {"worker": worker, "lines": to_json(rows)}).rowcount


# After a step back of the database's clock, times that were computed before it are too late. Live workers renew
# their leases within a second; without the cap, a dead worker's lease would expire late by the size of the step.
# Rows are locked in the order of their ids, as in every other statement.
CAP_LEASES = text(
    """
    UPDATE processing_request SET lease_expires_at = :latest WHERE id = ANY(ARRAY(
        SELECT id FROM processing_request WHERE status = 'processing' AND lease_expires_at > :latest
        ORDER BY id FOR UPDATE
    ))
    """
)
# Only delays between two attempts: a time that a client requested is a time of the wall clock, and is kept.
ADVANCE_RETRIES = text(
    """
    UPDATE processing_request SET available_at = available_at - make_interval(secs => :by_s) WHERE id = ANY(ARRAY(
        SELECT id FROM processing_request
        WHERE status = 'pending' AND attempt > 0 AND rung_at IS NULL AND available_at > :now
        ORDER BY id FOR UPDATE
    ))
    """
)


def adjust_for_clock_step(engine: Engine, now: datetime, by_s: float, lease_s: float) -> None:
    """Make leases end within `lease_s` from now, and delays between attempts as soon as they would have.

    by_s: seconds by which the clock was set back; 0 if unknown. Bells that were rung in the future need no repair:
    `find_stale_queued` finds them, and a request with a bell can be claimed at any time.
    """
    with engine.begin() as connection:
        connection.execute(CAP_LEASES, {"latest": now + timedelta(seconds=lease_s)})
        if by_s:
            connection.execute(ADVANCE_RETRIES, {"now": now, "by_s": by_s})


@dataclass(frozen=True, slots=True)
class UnknownFunction:
    """Hold a request that failed because its function is unknown."""

    request_id: UUID
    function_name: str


# A function that was never registered counts as unknown since the request was accepted. Delayed requests wait until
# they are due: their function may come back.
FAIL_UNKNOWN = text(
    """
    UPDATE processing_request
    SET status = 'failed', finished_at = :now, error_type = 'FunctionNotFound', error_message = format(
        'There is no function named %L: no worker pool has had it for %s s.', function, CAST(:unknown_s AS text))
    WHERE id = ANY (ARRAY(
        SELECT r.id FROM processing_request r LEFT JOIN removed_function d ON d.name = r.function
        WHERE r.status = 'pending' AND r.available_at <= :now
          AND NOT EXISTS (SELECT FROM registered_function f WHERE f.name = r.function)
          AND coalesce(d.removed_at, r.created_at) < :before
        LIMIT :limit
        FOR UPDATE OF r SKIP LOCKED
    ))
    RETURNING id, function
    """
)


def fail_unknown(engine: Engine, now: datetime, unknown_s: float, limit: int = 1000) -> list[UnknownFunction]:
    """Fail up to `limit` due requests whose function no pool has had for `unknown_s`: pending → failed."""
    before = now - timedelta(seconds=unknown_s)
    values = {"now": now, "before": before, "unknown_s": f"{unknown_s:g}", "limit": limit}
    with autocommit(engine) as connection:
        return [UnknownFunction(row.id, row.function) for row in connection.execute(FAIL_UNKNOWN, values)]
