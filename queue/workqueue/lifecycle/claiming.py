"""The move that takes a request: pending → processing, with a lease, for one worker."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine, text

from workqueue.lifecycle.claims import Claim
from workqueue.registry import Registered
from workqueue.store import StoredFile

# A bell for an immediate request may arrive before its `available_at` by another machine's clock.
EARLY = timedelta(milliseconds=500)

# What a worker needs to know of the request that it claimed.
CLAIMED = """
    SELECT claimed.*, row_to_json(f) AS registered,
           (SELECT json_agg(json_build_object(
                       'name', i.name, 'filename', i.filename, 'size', i.size, 'content_type', i.content_type,
                       'sha256', i.sha256, 'stored_as', i.stored_as))
            FROM input_file i WHERE i.request_id = claimed.id) AS inputs
    FROM claimed LEFT JOIN registered_function f ON f.name = claimed.function
"""
CLAIM = text(
    """
    WITH claimed AS (
        UPDATE processing_request
        SET status = 'processing', phase = 'validate', attempt = attempt + 1, worker = :worker,
            job_id = id || '-' || (attempt + 1), started_at = :now, lease_expires_at = :lease, rung_at = NULL,
            progress_fraction = NULL, progress_message = NULL, error_type = NULL, error_message = NULL
        WHERE id = :id AND status = 'pending' AND available_at <= :latest
        RETURNING id, attempt, function, event::text AS event, queue, max_attempts, failures, losses, on_lost
    ), opened AS (
        INSERT INTO request_attempt (request_id, number, worker, started_at)
        SELECT id, attempt, :worker, :now FROM claimed
    )
    """
    + CLAIMED
)
RESUME = text(
    """
    WITH claimed AS (
        UPDATE processing_request SET lease_expires_at = :lease
        WHERE id = :id AND status = 'processing' AND worker = :worker
        RETURNING id, attempt, function, event::text AS event, queue, max_attempts, failures, losses, on_lost
    )
    """
    + CLAIMED
)


def claim(engine: Engine, request_id: UUID, worker: str, now: datetime, lease_s: float) -> Claim | None:
    """pending → processing, if it is pending and due; None when there is nothing to claim.

    A crash right after the commit leaves a lease that nobody extends: it lapses, and the reconciler moves the
    request on. The commit does not wait for the disk: a claim that a crash of PostgreSQL forgets leaves the
    request pending, which is as good.
    """
    values = {"id": request_id, "worker": worker, "now": now, "latest": now + EARLY}
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL synchronous_commit = off"))
        lease = {"lease": now + timedelta(seconds=lease_s)}
        row = connection.execute(CLAIM, values | lease).mappings().first()
        if row is None:
            # The answer to an earlier try of this very claim may have been lost on the way. A worker runs one
            # request at a time, so what it holds while it claims is what it claimed.
            row = connection.execute(RESUME, {"id": request_id, "worker": worker} | lease).mappings().first()
        if row is not None and row["on_lost"] == "fail":
            # Forgotten, it would be claimed and started again, which must not happen to this one.
            connection.execute(text("SET LOCAL synchronous_commit = on"))
    if row is None:
        return None
    return Claim(
        request_id=row["id"],
        attempt=row["attempt"],
        worker=worker,
        function_name=row["function"],
        function=Registered(**row["registered"]) if row["registered"] else None,
        event=row["event"],
        queue=row["queue"],
        max_attempts=row["max_attempts"],
        failures=row["failures"],
        losses=row["losses"],
        on_lost=row["on_lost"],
        inputs=tuple(StoredFile(**entry) for entry in row["inputs"] or ()),
        claimed_at=now,
    )
