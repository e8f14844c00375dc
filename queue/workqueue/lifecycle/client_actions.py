"""Change requests on demand of a client or an operator: cancel, retry, run now."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from workqueue.audit import AuditEntry, record
from workqueue.errors import NotAllowedNowError, UnknownRequestError
from workqueue.lifecycle.attempt_rows import CLEAR_ATTEMPT, EARLIER_COLUMNS
from workqueue.outcomes import CancelledError
from workqueue.transport.doorbell import Bell

LOCK = text("SELECT status FROM processing_request WHERE id = :id FOR UPDATE")


def lock(connection: Connection, request_id: UUID) -> str:
    """Lock the request's row until the transaction ends, and return its status. Raises UnknownRequestError."""
    status: str | None = connection.execute(LOCK, {"id": request_id}).scalar_one_or_none()
    if status is None:
        raise UnknownRequestError(f"There is no request {request_id}.")
    return status


CANCEL = text(
    """
    WITH waiting AS (
        UPDATE processing_request
        SET status = 'failed', finished_at = :now, error_type = 'Cancelled', error_message = :message,
            cancel_requested = true
        WHERE id = :id AND status = 'pending'
        RETURNING function
    ), running AS (
        UPDATE processing_request SET cancel_requested = true
        WHERE id = :id AND status = 'processing'
        RETURNING function
    )
    SELECT function, true AS has_ended FROM waiting UNION ALL SELECT function, false FROM running
    """
)


def cancel(engine: Engine, request_id: UUID, now: datetime, audit_entry: AuditEntry | None = None) -> str | None:
    """Cancel a request: pending → failed at once; the worker of a processing one kills it at its next extension.

    Return the function's name if the request has ended by this. Raises UnknownRequestError, or NotAllowedNowError if
    the request had ended before.
    """
    with engine.begin() as connection:
        # Both updates see one snapshot: without the lock, a claim between them would escape both.
        lock(connection, request_id)
        values = {"id": request_id, "now": now, "message": str(CancelledError())}
        row = connection.execute(CANCEL, values).one_or_none()
        if row is None:
            raise NotAllowedNowError("The request has ended: there is nothing to cancel.")
        record(connection, audit_entry)
    return row.function if row.has_ended else None


# Ordered like the index: PostgreSQL would sort the queue again for each chunk. ANY(ARRAY(…)): a join with the whole
# table looks cheaper to the planner, and is not.
CANCEL_PENDING = text(
    """
    UPDATE processing_request
    SET status = 'failed', finished_at = :now, error_type = 'Cancelled', error_message = :message,
        cancel_requested = true
    WHERE id = ANY (ARRAY(
        SELECT id FROM processing_request WHERE status = 'pending' AND queue = :queue
        ORDER BY rung_at LIMIT :chunk
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING id, function
    """
)


def cancel_pending_in_queue(
    engine: Engine, queue: str, now: datetime, chunk: int = 1000, audit_entry: AuditEntry | None = None
) -> dict[UUID, str]:
    """Cancel up to `chunk` pending requests of a queue, also those that wait for a later time: pending → failed.

    Return their functions' names by request id. No row is deleted: a client that polls gets the end of its request.
    Requests that a worker is claiming at this moment are skipped.
    """
    values = {"queue": queue, "now": now, "message": str(CancelledError()), "chunk": chunk}
    with engine.begin() as connection:
        functions = {row.id: row.function for row in connection.execute(CANCEL_PENDING, values)}
        if functions and audit_entry is not None:
            record(connection, replace(audit_entry, details={"cancelled": len(functions)}))
    return functions


RETRY = text(
    f"""
    WITH failed AS (
        SELECT * FROM processing_request WHERE id = :id AND status = 'failed' FOR NO KEY UPDATE
    ), moved AS (
        INSERT INTO earlier_attempt ({EARLIER_COLUMNS})
        SELECT id, attempt, outcome, worker, started_at, finished_at, coalesce(phases, '[]'), cold_start, init_ms,
               max_rss_mb, error_type, error_message, traceback
        FROM failed WHERE outcome IS NOT NULL
    )
    UPDATE processing_request r
    SET status = 'pending', phase = NULL, available_at = :now, rung_at = :now, finished_at = NULL,
        started_at = NULL, worker = NULL, failures = 0, losses = 0, cancel_requested = false, error_type = NULL,
        error_message = NULL, progress_fraction = NULL, progress_message = NULL, {CLEAR_ATTEMPT}
    FROM failed WHERE r.id = failed.id
    RETURNING r.id, r.attempt, r.queue, r.function
    """  # noqa: S608 - composed of constants
)


def retry(engine: Engine, request_id: UUID, now: datetime, audit_entry: AuditEntry | None = None) -> Bell:
    """Retry a failed request with a new series of attempts: failed → pending. Return the bell to ring.

    Raises UnknownRequestError, or NotAllowedNowError if the request has not failed.
    """
    with engine.begin() as connection:
        row = connection.execute(RETRY, {"id": request_id, "now": now}).one_or_none()
        if row is None:
            status = lock(connection, request_id)
            raise NotAllowedNowError(f"Only a failed request can be retried; this one is {status}.")
        record(connection, audit_entry)
    return Bell(row.id, row.attempt + 1, row.queue, row.function)


RUN_NOW = text(
    """
    UPDATE processing_request SET available_at = :now, rung_at = :now
    WHERE id = :id AND status = 'pending' AND available_at > :now
    RETURNING id, attempt, queue, function
    """
)


def run_now(engine: Engine, request_id: UUID, now: datetime, audit_entry: AuditEntry | None = None) -> Bell:
    """Make a pending request due that waits for a later time, or between two attempts. Return the bell to ring.

    Raises UnknownRequestError, or NotAllowedNowError if the request does not wait for a time.
    """
    with engine.begin() as connection:
        row = connection.execute(RUN_NOW, {"id": request_id, "now": now}).one_or_none()
        if row is None:
            status = lock(connection, request_id)
            waits = "it waits for a worker" if status == "pending" else f"it is {status}"
            raise NotAllowedNowError(f"Only a request that waits for a later time can be run now; {waits}.")
        record(connection, audit_entry)
    return Bell(row.id, row.attempt + 1, row.queue, row.function)
