"""Accept requests: ∅ → pending, with their input files and idempotency key."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, text

from schema import exact_json
from schema.statuses import Status
from schema.tables.requests import idempotency_key, input_file
from workqueue.event_json import JsonText
from workqueue.files.store import StoredFile
from workqueue.functions.registry import FunctionSpec
from workqueue.transport.doorbell import Bell


@dataclass(frozen=True, slots=True)
class NewRequest:
    """Hold a request that is about to be stored.

    event: a JSON value, or its JsonText. available_at: no worker claims the request before it.
    schedule, scheduled_for: the schedule that submits it, and the time of its tick. traceparent: the client's.
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


MAX_STATEMENT_BYTES = 1024 * 1024  # of events, in one of the statements that store a batch
ROW_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)  # ids and times
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
    """Store all requests or none, when the caller's transaction commits. Return False if another request holds the key.

    key: (Idempotency-Key, SHA-256 of the body).

    `rung_at` is set although the caller rings only after the commit. If the process dies between the two, the
    reconciler finds a bell that no worker answered, and rings again. One statement stores many requests; large events
    are spread over several, so that no statement takes many times the memory of a batch.
    """
    for rows in _row_arrays(requests):
        connection.execute(ACCEPT, {"requests": rows})
    files = [
        asdict(file) | {"request_id": request.id, "created_at": request.created_at}
        for request in requests
        for file in request.files
    ]
    if files:
        connection.execute(insert(input_file), files)
    return key is None or _insert_key(connection, requests, *key)


def _row_arrays(requests: Sequence[NewRequest]) -> Iterator[str]:
    """Yield the rows as JSON arrays. A JsonText is inserted unchanged; values are small, and go into one array."""
    rows: list[str] = []
    size = 0
    if not any(isinstance(request.event, JsonText) for request in requests):
        yield exact_json.write([_row(request) | {"event": request.event} for request in requests], ROW_ENCODER.encode)
        return
    for request in requests:
        rows.append(f'{ROW_ENCODER.encode(_row(request))[:-1]},"event":{JsonText.of(request.event).utf8.decode()}}}')
        size += len(rows[-1])
        if size > MAX_STATEMENT_BYTES or request is requests[-1]:
            yield f"[{','.join(rows)}]"
            rows, size = [], 0


def _row(request: NewRequest) -> dict[str, Any]:
    return request.row(request.created_at if request.available_at <= request.created_at else None)


INSERT_KEY = text(
    """
    INSERT INTO idempotency_key (function, key, request_id, body_sha256, created_at, batch_ids)
    VALUES (:function, :key, :request_id, :body_sha256, :now, :batch_ids)
    ON CONFLICT (function, key) DO NOTHING
    RETURNING request_id
    """
)


def _insert_key(connection: Connection, requests: Sequence[NewRequest], key: str, body_sha256: str) -> bool:
    first = requests[0]
    values = {
        "function": first.function.name,
        "key": key,
        "request_id": first.id,
        "body_sha256": body_sha256,
        "now": first.created_at,
        "batch_ids": [request.id for request in requests] if len(requests) > 1 else None,
    }
    return connection.execute(INSERT_KEY, values).first() is not None


def find_key_holder(connection: Connection, function: str, key: str) -> tuple[tuple[UUID, ...], str] | None:
    """Return the ids of the requests that hold an idempotency key, and the SHA-256 of their body."""
    columns = idempotency_key.c
    statement = idempotency_key.select().where(columns.function == function, columns.key == key)
    row = connection.execute(statement).one_or_none()
    return (tuple(row.batch_ids or (row.request_id,)), row.body_sha256) if row else None
