"""Delete requests: one on a client's demand, many when their retention time is over."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, text

from schema.statuses import Status
from workqueue import ids
from workqueue.audit import AuditEntry, record
from workqueue.errors import NotAllowedNowError
from workqueue.lifecycle.client_actions import lock

# Foreign keys delete the rows of files and idempotency keys: most requests have none.
DELETE_DOOMED = """, deleted AS (
        DELETE FROM processing_request WHERE id = ANY(ARRAY(SELECT id FROM doomed))
        RETURNING id, attempt,
            EXISTS (SELECT FROM input_file i WHERE i.request_id = processing_request.id)
            OR EXISTS (SELECT FROM output_file o WHERE o.request_id = processing_request.id) AS has_files
    ), attempts AS (
        DELETE FROM earlier_attempt WHERE request_id = ANY(ARRAY(SELECT id FROM doomed))
    ), results AS (
        DELETE FROM earlier_result WHERE request_id = ANY(ARRAY(SELECT id FROM doomed))
    ), lines AS (
        DELETE FROM request_log WHERE request_id = ANY(ARRAY(SELECT id FROM doomed))
    )"""
DELETE = text(
    f"""
    WITH doomed AS (SELECT CAST(:id AS uuid) AS id){DELETE_DOOMED}
    SELECT attempt FROM deleted
    """  # noqa: S608 - composed of constants
)


def delete(engine: Engine, request_id: UUID, audit_entry: AuditEntry | None = None) -> list[str]:
    """Delete the request with its attempts, result, logs and file rows. Return its RQ job ids.

    Raises UnknownRequestError, or NotAllowedNowError while the request is processing.
    """
    with engine.begin() as connection:
        if lock(connection, request_id) == Status.PROCESSING:
            raise NotAllowedNowError("The request is processing: cancel it first.")
        attempt = connection.execute(DELETE, {"id": request_id}).scalar_one()
        record(connection, audit_entry)
    return job_ids(request_id, attempt)


def job_ids(request_id: UUID, attempt: int) -> list[str]:
    """Return the ids of all RQ jobs that may have been rung for a request, up to the attempt after this one."""
    return [ids.job_id(request_id, number) for number in range(1, attempt + 2)]


# ANY(ARRAY(…)): with IN the planner may join the whole table to these few ids.
PURGE = text(
    f"""
    WITH doomed AS MATERIALIZED (
        SELECT id FROM processing_request
        WHERE finished_at < :before AND (CAST(:status AS text) IS NULL OR status = :status)
        ORDER BY finished_at LIMIT :chunk
        FOR UPDATE SKIP LOCKED
    ){DELETE_DOOMED}
    SELECT id, attempt, has_files FROM deleted
    """  # noqa: S608 - composed of constants
)


@dataclass(frozen=True, slots=True)
class PurgedRequest:
    """Hold a request whose row was deleted. The caller deletes its RQ jobs and its files in the store."""

    request_id: UUID
    job_ids: list[str]
    has_files: bool


def purge(engine: Engine, before: datetime, status: Status | None = None, chunk: int = 500) -> list[PurgedRequest]:
    """Delete up to `chunk` requests that ended before a time, and return them.

    Rows go first, then files and RQ jobs: a crash in between leaves files without a row, never a row without its files.
    """
    with engine.begin() as connection:
        rows = connection.execute(PURGE, {"before": before, "status": status, "chunk": chunk})
        return [PurgedRequest(row.id, job_ids(row.id, row.attempt), row.has_files) for row in rows]
