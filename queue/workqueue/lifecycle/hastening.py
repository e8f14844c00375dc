"""A request that waits for a later time is made due now: a person does not want to wait for it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, text

from workqueue.audit import AuditEntry, record
from workqueue.errors import NotAllowedNowError
from workqueue.lifecycle.locking import lock
from workqueue.transport.doorbell import Bell

HASTEN = text(
    """
    UPDATE processing_request SET available_at = :now, rung_at = :now
    WHERE id = :id AND status = 'pending' AND available_at > :now
    RETURNING id, attempt, queue, function
    """
)


def run_now(engine: Engine, request_id: UUID, now: datetime, act: AuditEntry | None = None) -> Bell:
    """pending, with a later time or between two attempts → pending and due. Gives the bell to ring.

    Raises UnknownRequestError, or NotAllowedNowError when it waits for no time.
    """
    with engine.begin() as connection:
        row = connection.execute(HASTEN, {"id": request_id, "now": now}).one_or_none()
        if row is None:
            status = lock(connection, request_id)
            waits = "it waits for a worker" if status == "pending" else f"it is {status}"
            raise NotAllowedNowError(f"Only a request that waits for a later time can be run now; {waits}.")
        record(connection, act)
    return Bell(row.id, row.attempt + 1, row.queue, row.function)
