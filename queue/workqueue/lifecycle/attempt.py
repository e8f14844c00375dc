"""The moves of a claimed request, made by the worker that holds the lease: extend, finish, fail, give back.

Every write carries the fencing token: `status = 'processing' AND attempt = :attempt AND worker =
:worker`. Zero rows mean that the lease is lost; LeaseLostError is raised and nothing is changed. The worker is part
of the token because a crash of PostgreSQL may forget a claim, whose attempt number is then given out again.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from schema.engine import autocommit, to_json
from schema.statuses import Phase
from schema.tables.requests import output_file
from workqueue.errors import LeaseLostError
from workqueue.lifecycle.attempt_rows import close_attempt, store_files, store_lines
from workqueue.lifecycle.values import AttemptProgress, AttemptRecord, Claim, Completion
from workqueue.outcomes import CancelledError

EXTEND = text(
    """
    UPDATE processing_request
    SET lease_expires_at = clock_timestamp() + make_interval(secs => :lease_s), phase = :phase,
        progress_fraction = :fraction, progress_message = :message
    WHERE id = :id AND status = 'processing' AND attempt = :attempt AND worker = :worker
    RETURNING cancel_requested
    """
)


BEGUN = text(
    """
    UPDATE request_attempt SET phases = CAST(:phases AS json), cold_start = :cold_start, init_ms = :init_ms
    WHERE request_id = :id AND number = :attempt
    """
)


CURRENT = text(
    "UPDATE request_attempt SET current_lines = CAST(:lines AS json) WHERE request_id = :id AND number = :attempt"
)


def extend(engine: Engine, claim: Claim, lease_s: float, standing: AttemptProgress) -> bool:
    """Extends the lease to `lease_s` from now; stores how far the attempt has come. True when a cancel was requested.

    What is stored of its phases stands, should the worker be lost before it can tell more.
    """
    fraction, message = standing.progress
    values = {"lease_s": lease_s, "phase": standing.phase, "fraction": fraction, "message": message}
    with engine.begin() as connection:
        # Only a lease and a display: nothing that must survive a crash of PostgreSQL.
        connection.execute(text("SET LOCAL synchronous_commit = off"))
        cancel_requested = connection.execute(EXTEND, claim.fencing_token | values).scalar_one_or_none()
        if cancel_requested is None:
            raise LeaseLostError
        if (begun := standing.record) is not None:
            known = {"phases": to_json(begun.phases), "cold_start": begun.cold_start, "init_ms": begun.init_ms}
            connection.execute(BEGUN, claim.fencing_token | known)
        store_lines(connection, claim, standing.lines)
        if standing.partial_lines is not None:
            shown = [(line.time.isoformat(), line.stream, line.line) for line in standing.partial_lines]
            connection.execute(CURRENT, claim.fencing_token | {"lines": to_json(shown)})
    return bool(cancel_requested)


FINISH = text(
    """
    WITH done AS (
        SELECT * FROM json_to_recordset(CAST(:done AS json)) AS d (
            id uuid, attempt int, data json, fraction float8, message text, phases json, cold_start bool,
            init_ms float8, max_rss_mb float8
        )
    ), finished AS (
        UPDATE processing_request r
        SET status = 'completed', phase = NULL, finished_at = :now, lease_expires_at = NULL,
            progress_fraction = d.fraction, progress_message = d.message
        FROM done d
        WHERE r.id = d.id AND r.attempt = d.attempt AND r.worker = :worker AND r.status = 'processing'
          AND NOT r.cancel_requested
        RETURNING r.id
    ), stored AS (
        INSERT INTO processing_result (request_id, attempt, data, created_at)
        SELECT d.id, d.attempt, coalesce(d.data, 'null'), :now FROM done d JOIN finished USING (id)
    ), closed AS (
        UPDATE request_attempt a
        SET outcome = 'completed', finished_at = :now, phases = d.phases, cold_start = d.cold_start,
            init_ms = d.init_ms, max_rss_mb = d.max_rss_mb
        FROM done d JOIN finished USING (id)
        WHERE a.request_id = d.id AND a.number = d.attempt
    )
    SELECT id FROM finished
    """
)


def finish(engine: Engine, completions: Sequence[Completion], now: datetime) -> dict[UUID, Exception]:
    """processing → completed for all of one worker's, each with its result and output files: the commit point.

    Gives those that were not: a LeaseLostError, or a CancelledError when a cancel came first; the others are not
    concerned. A crash before the commit leaves the leases to lapse, and the requests run again. A crash after it
    loses nothing but the news: RQ may never hear of it, and a bell that it rings again finds nothing to claim.
    """
    # In the order of their ids, in which a claim locks rows, too.
    rows = ",".join(_as_json(done) for done in sorted(completions, key=lambda done: done.claim.request_id))
    values = {"done": f"[{rows}]", "worker": completions[0].claim.worker, "now": now}
    plain = not any(done.files or done.record.lines for done in completions)
    with autocommit(engine) if plain else engine.begin() as connection:
        finished = set(connection.execute(FINISH, values).scalars())
        refused: dict[UUID, Exception] = {}
        for completion in completions:
            claim = completion.claim
            if claim.request_id in finished:
                store_files(connection, output_file, claim.request_id, completion.files, now)
                store_lines(connection, claim, completion.record.lines)
            # The answer to an earlier try of this very commit may have been lost on the way.
            elif not _is_finished_by(connection, claim):
                refused[claim.request_id] = CancelledError() if _is_cancelled(connection, claim) else LeaseLostError()
        return refused


def _as_json(completion: Completion) -> str:
    """The values of one row. The result is put in as it is, so that its keys' order and its numbers' text stay."""
    record, (fraction, message) = completion.record, completion.progress
    values = {
        "id": str(completion.claim.request_id),
        "attempt": completion.claim.attempt,
        "fraction": fraction,
        "message": message,
        "phases": record.phases,
        "cold_start": record.cold_start,
        "init_ms": record.init_ms,
        "max_rss_mb": record.max_rss_mb,
    }
    return f'{to_json(values)[:-1]},"data":{completion.data}}}'


FAIL = text(
    """
    UPDATE processing_request
    SET status = 'failed', phase = :phase, finished_at = :now, lease_expires_at = NULL,
        failures = failures + :failures, error_type = :error_type, error_message = :error_message
    WHERE id = :id AND status = 'processing' AND attempt = :attempt AND worker = :worker
    RETURNING id
    """
)


def fail(
    engine: Engine, claim: Claim, record: AttemptRecord, phase: Phase, now: datetime, *, failures: int = 1
) -> None:
    """processing → failed, in `phase`. failures: 1 when it was the function's own. Raises LeaseLostError."""
    values = {"now": now, "phase": phase, "failures": failures}
    errors = {"error_type": record.error_type, "error_message": record.error_message}
    with engine.begin() as connection:
        if connection.execute(FAIL, claim.fencing_token | values | errors).first() is None:
            if _is_closed(connection, claim):
                return
            raise LeaseLostError
        close_attempt(connection, claim, record, now)


GIVE_BACK = text(
    """
    UPDATE processing_request
    SET status = 'pending', phase = NULL, available_at = clock_timestamp() + make_interval(secs => :delay_s),
        lease_expires_at = NULL, worker = NULL,
        failures = failures + :failures, rung_at = NULL, progress_fraction = NULL, progress_message = NULL,
        error_type = :error_type, error_message = :error_message
    WHERE id = :id AND status = 'processing' AND attempt = :attempt AND worker = :worker AND NOT cancel_requested
    RETURNING id
    """
)


def give_back(
    engine: Engine,
    claim: Claim,
    record: AttemptRecord,
    now: datetime,
    *,
    delay_s: float = 0.0,
    failures: int = 0,
) -> None:
    """processing → pending, for another attempt `delay_s` from now.

    Raises LeaseLostError, and CancelledError when a cancel came first: there is no other attempt then.

    The reconciler rings when it is due, so a crash after the commit costs nothing.
    """
    values = {"delay_s": delay_s, "failures": failures}
    errors = {"error_type": record.error_type, "error_message": record.error_message}
    with engine.begin() as connection:
        if connection.execute(GIVE_BACK, claim.fencing_token | values | errors).first() is None:
            if _is_closed(connection, claim):
                return
            raise CancelledError if _is_cancelled(connection, claim) else LeaseLostError
        close_attempt(connection, claim, record, now)


AMEND = text("UPDATE request_attempt SET phases = CAST(:phases AS json) WHERE request_id = :id AND number = :attempt")


def record_cleanup(engine: Engine, claim: Claim, record: AttemptRecord) -> None:
    """Adds what happened after the commit point (cleanup) to the attempt; changes no state."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL synchronous_commit = off"))
        connection.execute(AMEND, claim.fencing_token | {"phases": to_json(record.phases)})
        store_lines(connection, claim, record.lines)


def _is_finished_by(connection: Connection, claim: Claim) -> bool:
    found = text("SELECT 1 FROM processing_result WHERE request_id = :id AND attempt = :attempt")
    return connection.execute(found, claim.fencing_token).first() is not None


def _is_cancelled(connection: Connection, claim: Claim) -> bool:
    found = text(
        "SELECT cancel_requested FROM processing_request"
        " WHERE id = :id AND status = 'processing' AND attempt = :attempt AND worker = :worker"
    )
    return bool(connection.execute(found, claim.fencing_token).scalar_one_or_none())


def _is_closed(connection: Connection, claim: Claim) -> bool:
    """Whether this attempt ended by a write of this very worker whose answer was lost."""
    found = text(
        "SELECT 1 FROM request_attempt WHERE request_id = :id AND number = :attempt"
        " AND outcome IS NOT NULL AND outcome <> 'lost'"
    )
    return connection.execute(found, claim.fencing_token).first() is not None
