"""Change a claimed request, for the worker that holds the lease: extend, finish, fail, give back.

Every write is guarded by the fencing token: `status = 'processing' AND attempt = :attempt AND worker = :worker`. If it
matches no row, the lease is lost: LeaseLostError is raised, and nothing is changed. The worker is part of the token
because PostgreSQL may lose a claim in a crash, and the next claim then has the same attempt number.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from schema.engine import autocommit, to_json
from schema.statuses import Phase
from schema.tables.requests import output_file
from workqueue.errors import LeaseLostError
from workqueue.lifecycle.attempt_data import AttemptProgress, AttemptRecord, Claim, Completion
from workqueue.lifecycle.attempt_rows import close_attempt, store_files, store_lines
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
UPDATE_PHASES = text(
    """
    UPDATE request_attempt SET phases = CAST(:phases AS json), cold_start = :cold_start, init_ms = :init_ms
    WHERE request_id = :id AND number = :attempt
    """
)
UPDATE_PARTIAL_LINES = text(
    "UPDATE request_attempt SET current_lines = CAST(:lines AS json) WHERE request_id = :id AND number = :attempt"
)


def extend(engine: Engine, claim: Claim, lease_s: float, progress: AttemptProgress) -> bool:
    """Extend the lease to `lease_s` seconds from now, and store the attempt's progress.

    Return whether a cancel of the request is requested. If the worker is lost later, the attempt keeps the phases and
    lines that are stored here.
    """
    fraction, message = progress.progress
    values = {"lease_s": lease_s, "phase": progress.phase, "fraction": fraction, "message": message}
    with engine.begin() as connection:
        # A lease and a display need not survive a crash of PostgreSQL.
        connection.execute(text("SET LOCAL synchronous_commit = off"))
        cancel_requested = connection.execute(EXTEND, claim.fencing_token | values).scalar_one_or_none()
        if cancel_requested is None:
            raise LeaseLostError
        if (record := progress.record) is not None:
            known = {"phases": to_json(record.phases), "cold_start": record.cold_start, "init_ms": record.init_ms}
            connection.execute(UPDATE_PHASES, claim.fencing_token | known)
        store_lines(connection, claim, progress.lines)
        if progress.partial_lines is not None:
            partial = [(line.time.isoformat(), line.stream, line.line) for line in progress.partial_lines]
            connection.execute(UPDATE_PARTIAL_LINES, claim.fencing_token | {"lines": to_json(partial)})
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
    """Finish requests of one worker, each with its result and output files: processing → completed. The commit point.

    Return the requests that were rejected, each with a LeaseLostError, or a CancelledError if a cancel came first; all
    others are committed. If the worker dies before the commit, the leases expire and the requests run again. If it dies
    after the commit, only RQ and waiting clients are not notified; a bell that RQ rings again finds nothing to claim.
    """
    # Sorted by id: a claim locks rows in this order, too.
    rows = ",".join(_row_json(done) for done in sorted(completions, key=lambda done: done.claim.request_id))
    values = {"done": f"[{rows}]", "worker": completions[0].claim.worker, "now": now}
    is_one_statement = not any(done.files or done.record.lines for done in completions)
    with autocommit(engine) if is_one_statement else engine.begin() as connection:
        finished = set(connection.execute(FINISH, values).scalars())
        rejected: dict[UUID, Exception] = {}
        for completion in completions:
            claim = completion.claim
            if claim.request_id in finished:
                store_files(connection, output_file, claim.request_id, completion.files, now)
                store_lines(connection, claim, completion.record.lines)
            # The answer to an earlier try of this commit may have been lost.
            elif not _is_finished_by(connection, claim):
                rejected[claim.request_id] = CancelledError() if _is_cancelled(connection, claim) else LeaseLostError()
        return rejected


def _row_json(completion: Completion) -> str:
    """Return the values of one row. The result stays unparsed, to keep the order of keys and the digits."""
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
    """Fail a request in `phase`: processing → failed. failures: 1 if the function failed, 0 if the runtime did.

    Raises LeaseLostError.
    """
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
    """Give a request back for another attempt `delay_s` seconds from now: processing → pending.

    Raises LeaseLostError, and CancelledError if a cancel came first: no attempt follows then. The reconciler rings when
    the request is due.
    """
    values = {"delay_s": delay_s, "failures": failures}
    errors = {"error_type": record.error_type, "error_message": record.error_message}
    with engine.begin() as connection:
        if connection.execute(GIVE_BACK, claim.fencing_token | values | errors).first() is None:
            if _is_closed(connection, claim):
                return
            raise CancelledError if _is_cancelled(connection, claim) else LeaseLostError
        close_attempt(connection, claim, record, now)


UPDATE_CLEANUP = text(
    "UPDATE request_attempt SET phases = CAST(:phases AS json) WHERE request_id = :id AND number = :attempt"
)


def record_cleanup(engine: Engine, claim: Claim, record: AttemptRecord) -> None:
    """Store phase and log lines of a cleanup that ran after the commit point. The status does not change."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL synchronous_commit = off"))
        connection.execute(UPDATE_CLEANUP, claim.fencing_token | {"phases": to_json(record.phases)})
        store_lines(connection, claim, record.lines)


def _is_finished_by(connection: Connection, claim: Claim) -> bool:
    statement = text("SELECT 1 FROM processing_result WHERE request_id = :id AND attempt = :attempt")
    return connection.execute(statement, claim.fencing_token).first() is not None


def _is_cancelled(connection: Connection, claim: Claim) -> bool:
    statement = text(
        "SELECT cancel_requested FROM processing_request"
        " WHERE id = :id AND status = 'processing' AND attempt = :attempt AND worker = :worker"
    )
    return bool(connection.execute(statement, claim.fencing_token).scalar_one_or_none())


def _is_closed(connection: Connection, claim: Claim) -> bool:
    """Return whether an earlier write of this worker closed the attempt, and only its answer was lost."""
    statement = text(
        "SELECT 1 FROM request_attempt WHERE request_id = :id AND number = :attempt"
        " AND outcome IS NOT NULL AND outcome <> 'lost'"
    )
    return connection.execute(statement, claim.fencing_token).first() is not None
