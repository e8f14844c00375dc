"""Moves of a request that come from outside of an attempt: accept, cancel, retry, delete, purge."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from schema import exact_json
from schema.statuses import Status
from schema.tables.requests import idempotency_key, input_file
from workqueue import ids
from workqueue.audit import AuditEntry, record
from workqueue.errors import NotAllowedNowError
from workqueue.event_json import JsonText
from workqueue.files.store import StoredFile
from workqueue.functions.registry import FunctionSpec
from workqueue.lifecycle.attempt_rows import store_files
from workqueue.lifecycle.locking import lock
from workqueue.outcomes import CancelledError
from workqueue.transport.doorbell import Bell


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A request about to be stored. event: any JSON value, or its JsonText. available_at: not claimed before.

    schedule, scheduled_for: the schedule that made it, and the time of its tick. traceparent: the client's.
    """

    id: UUID
    function: FunctionSpec
    event: Any
    queue: str
    created_at: datetime
    available_at: datetime
    schedule: str | None = None
    scheduled_for: datetime | None = None
    files: Sequence[StoredFile] = ()
    traceparent: str | None = None

    @property
    def bell(self) -> Bell:
        return Bell(self.id, 1, self.queue, self.function.name)

    def row(self, rung_at: datetime | None) -> dict[str, Any]:
        return {
            "id": self.id,
            "function": self.function.name,
            "status": Status.PENDING,
            "max_attempts": self.function.max_attempts,
            "on_lost": self.function.on_lost,
            "job_id": self.bell.job_id,
            "queue": self.queue,
            "schedule": self.schedule,
            "scheduled_for": self.scheduled_for,
            "created_at": self.created_at,
            "available_at": self.available_at,
            "rung_at": rung_at,
            "traceparent": self.traceparent,
        }


STATEMENT_BYTES = 1024 * 1024  # of events, in each of the statements that store a batch
ROWS = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)  # ids and times
ACCEPT = text(
    """
    INSERT INTO processing_request (
        id, function, status, event, max_attempts, on_lost, job_id, queue, schedule, scheduled_for, created_at,
        available_at, rung_at, traceparent)
    SELECT id, function, status, coalesce(event, 'null'), max_attempts, on_lost, job_id, queue, schedule,
           scheduled_for, created_at, available_at, rung_at, traceparent
    FROM json_populate_recordset(CAST(NULL AS processing_request), CAST(:requests AS json))
    """
)


def accept(
    connection: Connection,
    requests: Sequence[NewRequest],
    *,
    key: tuple[str, str] | None = None,
) -> bool:
    """∅ → pending, all or none, when the caller's transaction commits. False when the idempotency key is taken.

    key: (Idempotency-Key, SHA-256 of the body). `rung_at` is set though the bell rings only after the commit:
    should the process die in between, the reconciler finds a bell that nobody answered, and rings again.

    One statement for many: prepared once, and planned for none. Large events have several, so that no statement
    takes many times the memory of a batch.
    """
    for rows in _statements(requests):
        connection.execute(ACCEPT, {"requests": rows})
    for request in requests:
        store_files(connection, input_file, request.id, request.files, request.created_at)
    return key is None or _take_key(connection, requests, *key)


def _statements(requests: Sequence[NewRequest]) -> Iterator[str]:
    """Yield the rows in JSON arrays. A JsonText goes in unchanged; values are small, and go into one array."""
    rows: list[str] = []
    size = 0
    if not any(isinstance(request.event, JsonText) for request in requests):
        yield exact_json.write([_row(request) | {"event": request.event} for request in requests], ROWS.encode)
        return
    for request in requests:
        rows.append(f'{ROWS.encode(_row(request))[:-1]},"event":{JsonText.of(request.event).utf8.decode()}}}')
        size += len(rows[-1])
        if size > STATEMENT_BYTES or request is requests[-1]:
            yield f"[{','.join(rows)}]"
            rows, size = [], 0


def _row(request: NewRequest) -> dict[str, Any]:
    return request.row(request.created_at if request.available_at <= request.created_at else None)


TAKE_KEY = text(
    """
    INSERT INTO idempotency_key (function, key, request_id, body_sha256, created_at, batch_ids)
    VALUES (:function, :key, :request_id, :body_sha256, :now, :batch_ids)
    ON CONFLICT (function, key) DO NOTHING
    RETURNING request_id
    """
)


def _take_key(connection: Connection, requests: Sequence[NewRequest], key: str, body_sha256: str) -> bool:
    request = requests[0]
    values = {
        "function": request.function.name,
        "key": key,
        "request_id": request.id,
        "body_sha256": body_sha256,
        "now": request.created_at,
        "batch_ids": [each.id for each in requests] if len(requests) > 1 else None,
    }
    return connection.execute(TAKE_KEY, values).first() is not None


def find_key_holder(connection: Connection, function: str, key: str) -> tuple[tuple[UUID, ...], str] | None:
    """Return the ids of the requests that hold an idempotency key, and the SHA-256 of their body."""
    found = idempotency_key.c
    row = connection.execute(idempotency_key.select().where(found.function == function, found.key == key)).one_or_none()
    return (tuple(row.batch_ids or (row.request_id,)), row.body_sha256) if row else None


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


def cancel(engine: Engine, request_id: UUID, now: datetime, act: AuditEntry | None = None) -> str | None:
    """pending → failed at once; a processing one is marked, and its worker kills it at the next extension.

    Gives the function of one that has ended. Raises UnknownRequestError, or NotAllowedNowError when it has ended.
    """
    with engine.begin() as connection:
        # The lock keeps a claim from slipping between the two updates, which see one snapshot.
        lock(connection, request_id)
        values = {"id": request_id, "now": now, "message": str(CancelledError())}
        row = connection.execute(CANCEL, values).one_or_none()
        if row is None:
            raise NotAllowedNowError("The request has ended: there is nothing to cancel.")
        record(connection, act)
    return row.function if row.has_ended else None


RETRY = text(
    """
    UPDATE processing_request
    SET status = 'pending', phase = NULL, available_at = :now, rung_at = :now, finished_at = NULL,
        started_at = NULL, worker = NULL, failures = 0, losses = 0, cancel_requested = false, error_type = NULL,
        error_message = NULL, progress_fraction = NULL, progress_message = NULL
    WHERE id = :id AND status = 'failed'
    RETURNING id, attempt, queue, function
    """
)


def retry(engine: Engine, request_id: UUID, now: datetime, act: AuditEntry | None = None) -> Bell:
    """failed → pending, with a new series of attempts. Gives the bell to ring.

    Raises UnknownRequestError, or NotAllowedNowError when it has not failed.
    """
    with engine.begin() as connection:
        row = connection.execute(RETRY, {"id": request_id, "now": now}).one_or_none()
        if row is None:
            status = lock(connection, request_id)
            raise NotAllowedNowError(f"Only a failed request can be retried; this one is {status}.")
        record(connection, act)
    return Bell(row.id, row.attempt + 1, row.queue, row.function)


DELETE = text("DELETE FROM processing_request WHERE id = :id RETURNING attempt")


def delete(engine: Engine, request_id: UUID, act: AuditEntry | None = None) -> list[str]:
    """Removes the request and, by the foreign keys, all that belongs to it. Gives the ids of its RQ jobs.

    Raises UnknownRequestError, or NotAllowedNowError while it is processing.
    """
    with engine.begin() as connection:
        if lock(connection, request_id) == Status.PROCESSING:
            raise NotAllowedNowError("The request is processing: cancel it first.")
        attempt = connection.execute(DELETE, {"id": request_id}).scalar_one()
        record(connection, act)
    return job_ids(request_id, attempt)


def job_ids(request_id: UUID, attempt: int) -> list[str]:
    """Return the ids of all jobs that may have been rung for a request up to this attempt."""
    return [ids.job_id(request_id, number) for number in range(1, attempt + 2)]


# As an array: with IN a planner may join the whole table to these few.
PURGE = text(
    """
    DELETE FROM processing_request WHERE id = ANY(ARRAY(
        SELECT id FROM processing_request
        WHERE finished_at < :before AND (CAST(:status AS text) IS NULL OR status = :status)
        ORDER BY finished_at LIMIT :chunk
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING id, attempt,
        EXISTS (SELECT FROM input_file i WHERE i.request_id = processing_request.id)
        OR EXISTS (SELECT FROM output_file o WHERE o.request_id = processing_request.id) AS has_files
    """
)


@dataclass(frozen=True, slots=True)
class PurgedRequest:
    """A request that was removed; what is kept of it elsewhere than in the database is to follow."""

    request_id: UUID
    job_ids: list[str]
    has_files: bool


def purge(engine: Engine, before: datetime, status: Status | None = None, chunk: int = 500) -> list[PurgedRequest]:
    """Removes up to `chunk` requests that ended before a time: files and RQ's jobs follow the rows, never the other
    way round.
    """
    with engine.begin() as connection:
        rows = connection.execute(PURGE, {"before": before, "status": status, "chunk": chunk})
        return [PurgedRequest(row.id, job_ids(row.id, row.attempt), row.has_files) for row in rows]
