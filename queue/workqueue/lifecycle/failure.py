"""End attempts without a result: fail their requests, or give them back for another attempt.

The fencing token guards both, as completion.py says. They are rare, so they lock the rows first, and know exactly.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from schema.engine import autocommit
from schema.statuses import Phase
from schema.steps import Steps, run
from workqueue.lifecycle.attempt_data import (
    Answer,
    AttemptRecord,
    Claim,
    FailedAttempt,
    ReturnedAttempt,
    errors_of,
)
from workqueue.lifecycle.attempt_rows import CLEAR_ATTEMPT, EARLIER_COLUMNS, INSERT_LINES, array_of, ended_attempt

# An earlier write of this worker may have ended the attempt, and only its answer was lost.
JUDGE = """
    WITH ended AS (
        SELECT * FROM json_to_recordset(CAST(:ended AS json)) AS d (
            id uuid, attempt int, phase text, delay_s float8, failures int, outcome text, phases json, cold_start bool,
            init_ms float8, max_rss_mb float8, error_type text, error_message text, traceback text, lines json
        )
    ), locked AS MATERIALIZED (
        SELECT d.*, r.status, r.attempt AS current, r.worker, r.outcome AS current_outcome, r.started_at,
               r.cancel_requested
        FROM ended d JOIN processing_request r ON r.id = d.id
        WHERE r.id = ANY(ARRAY(SELECT id FROM ended)) ORDER BY r.id FOR NO KEY UPDATE OF r
    ), judged AS MATERIALIZED (
        SELECT *, CASE
            WHEN current = attempt AND worker = :worker AND status = 'processing' THEN 'held'
            WHEN current = attempt AND worker = :worker AND current_outcome <> 'lost' THEN 'stored'
            WHEN EXISTS (SELECT FROM earlier_attempt a WHERE a.request_id = locked.id AND a.number = locked.attempt
                         AND a.worker = :worker AND a.outcome <> 'lost') THEN 'stored'
            ELSE 'lost' END AS standing
        FROM locked
    )"""
FAIL = text(
    f"""{JUDGE}, failed AS (
        UPDATE processing_request r
        SET status = 'failed', phase = d.phase, finished_at = :now, lease_expires_at = NULL,
            failures = r.failures + d.failures, error_type = d.error_type, error_message = d.error_message,
            outcome = d.outcome, phases = d.phases, cold_start = d.cold_start, init_ms = d.init_ms,
            max_rss_mb = d.max_rss_mb, traceback = d.traceback, current_lines = NULL
        FROM judged d WHERE r.id = ANY(ARRAY(SELECT id FROM ended)) AND r.id = d.id AND d.standing = 'held'
        RETURNING d.id, d.attempt, d.lines
    ), logged AS ({INSERT_LINES.format(attempts="failed")})
    SELECT id, CASE standing WHEN 'held' THEN 'stored' ELSE standing END AS answer FROM judged
    """  # noqa: S608 - composed of constants
)
GIVE_BACK = text(
    f"""{JUDGE}, held AS (
        SELECT * FROM judged WHERE standing = 'held' AND NOT cancel_requested
    ), moved AS (
        INSERT INTO earlier_attempt ({EARLIER_COLUMNS})
        SELECT id, attempt, outcome, :worker, started_at, :now, phases, cold_start, init_ms, max_rss_mb, error_type,
               error_message, traceback
        FROM held
    ), returned AS (
        UPDATE processing_request r
        SET status = 'pending', phase = NULL, available_at = clock_timestamp() + make_interval(secs => d.delay_s),
            lease_expires_at = NULL, worker = NULL, failures = r.failures + d.failures, rung_at = NULL,
            progress_fraction = NULL, progress_message = NULL, error_type = d.error_type,
            error_message = d.error_message, {CLEAR_ATTEMPT}
        FROM held d WHERE r.id = ANY(ARRAY(SELECT id FROM ended)) AND r.id = d.id
        RETURNING d.id, d.attempt, d.lines
    ), logged AS ({INSERT_LINES.format(attempts="returned")})
    SELECT id, CASE WHEN standing <> 'held' THEN standing WHEN cancel_requested THEN 'cancelled' ELSE 'stored' END
           AS answer
    FROM judged
    """  # noqa: S608 - composed of constants
)


def fail_all(engine: Engine, attempts: Sequence[FailedAttempt], now: datetime) -> dict[UUID, Exception]:
    """Fail requests of one worker: processing → failed. Return a LeaseLostError for each whose lease is lost."""
    with autocommit(engine) as connection:
        return run(connection, fail_steps(attempts, now))


def fail_steps(attempts: Sequence[FailedAttempt], now: datetime) -> Steps[dict[UUID, Exception]]:
    """Return the steps of `fail_all`."""
    rows = yield FAIL, fail_values(attempts, now)
    return errors_of([each.claim for each in attempts], {row.id: Answer(row.answer) for row in rows})


def fail(
    engine: Engine, claim: Claim, record: AttemptRecord, phase: Phase, now: datetime, *, failures: int = 1
) -> None:
    """Fail one request. Raises LeaseLostError."""
    for error in fail_all(engine, [FailedAttempt(claim, record, phase, failures)], now).values():
        raise error


def give_back_all(engine: Engine, attempts: Sequence[ReturnedAttempt], now: datetime) -> dict[UUID, Exception]:
    """Give requests of one worker back for another attempt: processing → pending.

    Return a LeaseLostError for each whose lease is lost, and a CancelledError if a cancel came first: no attempt
    follows then. The reconciler rings when a request is due.
    """
    with autocommit(engine) as connection:
        return run(connection, give_back_steps(attempts, now))


def give_back_steps(attempts: Sequence[ReturnedAttempt], now: datetime) -> Steps[dict[UUID, Exception]]:
    """Return the steps of `give_back_all`."""
    rows = yield GIVE_BACK, give_back_values(attempts, now)
    return errors_of([each.claim for each in attempts], {row.id: Answer(row.answer) for row in rows})


def give_back(
    engine: Engine,
    claim: Claim,
    record: AttemptRecord,
    now: datetime,
    *,
    delay_s: float = 0.0,
    failures: int = 0,
) -> None:
    """Give one request back. Raises LeaseLostError and CancelledError."""
    for error in give_back_all(engine, [ReturnedAttempt(claim, record, delay_s, failures)], now).values():
        raise error


def fail_values(attempts: Sequence[FailedAttempt], now: datetime) -> dict[str, Any]:
    """Return the parameters of FAIL."""
    rows = [_row(each.claim, each.record, each.failures) | {"phase": each.phase} for each in attempts]
    return {"ended": array_of(rows), "worker": attempts[0].claim.worker, "now": now}


def give_back_values(attempts: Sequence[ReturnedAttempt], now: datetime) -> dict[str, Any]:
    """Return the parameters of GIVE_BACK."""
    rows = [_row(each.claim, each.record, each.failures) | {"delay_s": each.delay_s} for each in attempts]
    return {"ended": array_of(rows), "worker": attempts[0].claim.worker, "now": now}


def _row(claim: Claim, record: AttemptRecord, failures: int) -> dict[str, Any]:
    return ended_attempt(claim, record) | {
        "failures": failures,
        "outcome": record.outcome,
        "error_type": record.error_type,
        "error_message": record.error_message,
        "traceback": record.traceback,
    }
