"""Claim requests for one worker: pending → processing, with a lease; and release those that it did not start."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from schema.engine import autocommit
from schema.steps import Steps, run
from workqueue.files.store import StoredFile
from workqueue.lifecycle.attempt_data import Claim
from workqueue.lifecycle.attempt_rows import CLEAR_ATTEMPT
from workqueue.transport.doorbell import Bell

# A bell for an immediate request may arrive before its `available_at`, by the clock of another machine.
MAX_EARLY = timedelta(milliseconds=500)

SELECT_CLAIMED = """
    SELECT claimed.*,
           (SELECT json_agg(json_build_object(
                       'name', i.name, 'filename', i.filename, 'size', i.size, 'content_type', i.content_type,
                       'sha256', i.sha256, 'stored_as', i.stored_as))
            FROM input_file i WHERE i.request_id = claimed.id) AS inputs,
           set_config('synchronous_commit', CASE WHEN bool_or(on_lost = 'fail') OVER () THEN 'on' ELSE 'off' END, true)
    FROM claimed
"""
# The lease is counted from the database's own time, as an extension is: the reconciler then compares it with the clock
# that wrote it; the clock of this machine does not count.
# A request with a bell (rung_at) was due when the bell was rung; by a clock that was set back since, it may look early.
# Rows are locked in the order of their ids, so that two workers with overlapping bells cannot deadlock.
# Rows are found by their ids alone, here and in the other writes of a worker, in whatever state the statistics of the
# table are: PostgreSQL would else read all requests that are pending or processing, and all that were since the last
# vacuum. So each of these statements says `id = ANY(…)`.
CLAIM = text(
    """
    WITH rung AS MATERIALIZED (
        SELECT id, status, available_at, rung_at, started_at, error_type, error_message
        FROM processing_request WHERE id = ANY(:ids) ORDER BY id FOR UPDATE
    ), claimed AS (
        UPDATE processing_request r
        SET status = 'processing', phase = 'validate', attempt = attempt + 1, worker = :worker,
            job_id = r.id || '-' || (attempt + 1), rung_at = NULL,
            lease_expires_at = clock_timestamp() + make_interval(secs => :lease_s),
            started_at = greatest(:now, created_at), -- two processes' clocks agree within a millisecond
            progress_fraction = NULL, progress_message = NULL, error_type = NULL, error_message = NULL
        FROM rung WHERE r.id = ANY(:ids) AND r.id = rung.id AND rung.status = 'pending'
            AND (rung.available_at <= :latest OR rung.rung_at IS NOT NULL)
            AND NOT EXISTS (SELECT FROM paused_queue p WHERE p.name = r.queue)
        RETURNING r.id, attempt, function, event::text AS event, queue, max_attempts, failures, losses, on_lost,
                  r.started_at, r.available_at, created_at, schedule, traceparent, rung.started_at AS started_before,
                  rung.error_type AS error_type_before, rung.error_message AS error_message_before
    )
    """
    + SELECT_CLAIMED
)
RESUME = text(
    """
    WITH claimed AS (
        UPDATE processing_request SET lease_expires_at = clock_timestamp() + make_interval(secs => :lease_s)
        WHERE status = 'processing' AND worker = :worker AND id <> ALL(:held)
        RETURNING id, attempt, function, event::text AS event, queue, max_attempts, failures, losses, on_lost,
            available_at, created_at, schedule, traceparent, NULL::timestamptz AS started_before,
            NULL AS error_type_before, NULL AS error_message_before -- overwritten by the first try
    )
    """
    + SELECT_CLAIMED
)


def claim(engine: Engine, request_ids: Sequence[UUID], worker: str, now: datetime, lease_s: float) -> list[Claim]:
    """Claim the requests that are pending and due, and return their claims in the order given.

    If the worker dies after the commit, no process extends the leases: they expire, and the reconciler gives the
    requests back. The commit does not wait for the disk (synchronous_commit = off): if PostgreSQL crashes and forgets a
    claim, the request is pending again, which costs nothing. Only with on_lost = 'fail' does it wait: a forgotten claim
    would let the request start twice.
    """
    with autocommit(engine) as connection:
        return run(connection, claim_steps(request_ids, worker, now, lease_s))


def claim_steps(request_ids: Sequence[UUID], worker: str, now: datetime, lease_s: float) -> Steps[list[Claim]]:
    """Return the steps of `claim`."""
    request_ids = list(dict.fromkeys(request_ids))  # a bell that was rung twice may have been popped twice
    values = {"ids": request_ids, "worker": worker, "now": now, "lease_s": lease_s}
    rows = yield CLAIM, values | {"latest": now + MAX_EARLY}
    claims = {row.id: _claim(row, worker, now) for row in rows}
    return [claims[id] for id in request_ids if id in claims]


def resume_steps(held: Sequence[UUID], worker: str, now: datetime, lease_s: float) -> Steps[list[Claim]]:
    """Return steps that return the claims of a worker of which it got no answer: those of requests not in `held`."""
    rows = yield RESUME, {"held": list(held), "worker": worker, "lease_s": lease_s}
    return [_claim(row, worker, now) for row in rows]


RELEASE = text(
    f"""
    UPDATE processing_request r
    SET status = 'pending', phase = NULL, attempt = r.attempt - 1, worker = NULL, lease_expires_at = NULL,
        started_at = held.started_at, error_type = held.error_type, error_message = held.error_message,
        rung_at = :now, {CLEAR_ATTEMPT}
    FROM unnest(CAST(:ids AS uuid[]), CAST(:attempts AS int[]), CAST(:started AS timestamptz[]),
                CAST(:types AS text[]), CAST(:messages AS text[]))
        AS held (id, attempt, started_at, error_type, error_message)
    WHERE r.id = ANY(CAST(:ids AS uuid[])) AND r.id = held.id
      AND r.attempt = held.attempt AND r.status = 'processing' AND r.worker = :worker AND NOT r.cancel_requested
    RETURNING r.id, r.attempt + 1 AS number, r.queue, r.function
    """
)


def release_unstarted(engine: Engine, claims: Sequence[Claim], now: datetime) -> list[Bell]:
    """Release requests that the worker did not start: processing → pending, as if unclaimed. Return the bells to ring.

    Requests whose lease is lost, or whose cancel is requested, get no bell. The next claim uses the attempt's
    number again, which is safe: the attempt did not start. If the worker dies before it rings, the reconciler rings.
    """
    with autocommit(engine) as connection:
        return run(connection, release_steps(claims, now))


def release_steps(claims: Sequence[Claim], now: datetime) -> Steps[list[Bell]]:
    """Return the steps of `release_unstarted`."""
    claims = sorted(claims, key=lambda claim: claim.request_id)  # every statement locks rows in this order
    tokens = {"ids": [claim.request_id for claim in claims], "attempts": [claim.attempt for claim in claims]}
    previous = zip(*(claim.previous for claim in claims), strict=True)
    values = tokens | dict(zip(("started", "types", "messages"), map(list, previous), strict=True))
    rows = yield RELEASE, values | {"worker": claims[0].worker, "now": now}
    return [Bell(row.id, row.number, row.queue, row.function, is_released=True) for row in rows]


def _claim(row: Any, worker: str, now: datetime) -> Claim:
    return Claim(
        request_id=row.id,
        attempt=row.attempt,
        worker=worker,
        function_name=row.function,
        event=row.event,
        queue=row.queue,
        max_attempts=row.max_attempts,
        failures=row.failures,
        losses=row.losses,
        on_lost=row.on_lost,
        inputs=tuple(StoredFile(**entry) for entry in row.inputs or ()),
        claimed_at=now,
        created_at=row.created_at,
        available_at=row.available_at,
        schedule=row.schedule,
        traceparent=row.traceparent,
        previous=(row.started_before, row.error_type_before, row.error_message_before),
    )
