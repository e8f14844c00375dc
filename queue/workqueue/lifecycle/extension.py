"""Extend the leases of running attempts, and store their progress. The fencing token guards it: see completion.py."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from schema.engine import autocommit
from schema.steps import Steps, run
from workqueue.lifecycle.attempt_data import Answer, AttemptProgress, Claim, Extension, errors_of
from workqueue.lifecycle.attempt_rows import INSERT_LINES, array_of, pack_lines, pack_phases, token_of
from workqueue.outcomes import CancelledError

# No index has one of these columns: the new version of the row stays on its page. A lease and a display need not
# survive a crash of PostgreSQL.
EXTEND = text(
    f"""
    WITH extended AS (
        SELECT * FROM json_to_recordset(CAST(:extensions AS json)) AS d (
            id uuid, attempt int, phase text, fraction float8, message text, phases json, cold_start bool,
            init_ms float8, current_lines json, lines json
        )
    ), held AS (
        UPDATE processing_request r
        SET lease_expires_at = clock_timestamp() + make_interval(secs => :lease_s), phase = d.phase,
            progress_fraction = d.fraction, progress_message = d.message, phases = coalesce(d.phases, r.phases),
            cold_start = coalesce(d.cold_start, r.cold_start), init_ms = coalesce(d.init_ms, r.init_ms),
            current_lines = coalesce(d.current_lines, r.current_lines)
        FROM extended d
        WHERE r.id = ANY(ARRAY(SELECT id FROM extended)) AND r.id = d.id
          AND r.attempt = d.attempt AND r.worker = :worker AND r.status = 'processing'
        RETURNING r.id, r.attempt, r.cancel_requested, d.lines
    ), logged AS ({INSERT_LINES.format(attempts="held")})
    SELECT id, CASE WHEN cancel_requested THEN 'cancelled' ELSE 'stored' END AS answer,
           set_config('synchronous_commit', 'off', true)
    FROM held
    """  # noqa: S608 - composed of constants
)


def extend_all(engine: Engine, extensions: Sequence[Extension], lease_s: float) -> dict[UUID, Exception]:
    """Extend the leases of one worker's attempts to `lease_s` seconds from now, and store their progress.

    Return a LeaseLostError for each lease that is lost, and a CancelledError for each request whose cancel is
    requested: its lease is extended all the same. If the worker is lost later, the attempts keep what is stored here.
    """
    with autocommit(engine) as connection:
        return run(connection, extend_steps(extensions, lease_s))


def extend_steps(extensions: Sequence[Extension], lease_s: float) -> Steps[dict[UUID, Exception]]:
    """Return the steps of `extend_all`."""
    rows = yield EXTEND, extend_values(extensions, lease_s)
    return errors_of([each.claim for each in extensions], {row.id: Answer(row.answer) for row in rows})


def extend(engine: Engine, claim: Claim, lease_s: float, progress: AttemptProgress) -> bool:
    """Extend one lease. Return whether a cancel of the request is requested. Raises LeaseLostError."""
    error = extend_all(engine, [Extension(claim, progress)], lease_s).get(claim.request_id)
    if error is not None and not isinstance(error, CancelledError):
        raise error
    return error is not None


def extend_values(extensions: Sequence[Extension], lease_s: float) -> dict[str, Any]:
    """Return the parameters of EXTEND."""
    rows = array_of(_row(each.claim, each.progress) for each in extensions)
    return {"extensions": rows, "worker": extensions[0].claim.worker, "lease_s": lease_s}


def _row(claim: Claim, progress: AttemptProgress) -> dict[str, Any]:
    row = token_of(claim) | {"phase": progress.phase, "lines": pack_lines(progress.lines)}
    row["fraction"], row["message"] = progress.progress
    if (record := progress.record) is not None:
        row |= {"phases": pack_phases(record.phases), "cold_start": record.cold_start, "init_ms": record.init_ms}
    if progress.partial_lines is not None:
        row["current_lines"] = [(line.time.isoformat(), line.stream, line.line) for line in progress.partial_lines]
    return row
