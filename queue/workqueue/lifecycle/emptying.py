"""pending → failed for all that wait in a queue: a person emptied it."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, text

from workqueue.audit import AuditEntry, record
from workqueue.outcomes import CancelledError

# In the order of the index: another one would be sorted anew for each chunk. As an array: a join of the whole table
# would look cheaper to the planner.
EMPTY = text(
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
    engine: Engine, queue: str, now: datetime, chunk: int = 1000, act: AuditEntry | None = None
) -> dict[UUID, str]:
    """Cancels up to `chunk` of the requests that wait in a queue, those with a later time too.

    Gives their functions by their ids. None is deleted: a client that polls one sees it end. What is being claimed this
    moment is left alone.
    """
    values = {"queue": queue, "now": now, "message": str(CancelledError()), "chunk": chunk}
    with engine.begin() as connection:
        functions = {row.id: row.function for row in connection.execute(EMPTY, values)}
        if functions and act is not None:
            record(connection, replace(act, details={"cancelled": len(functions)}))
    return functions
