"""Finish claimed requests, for the worker that holds their leases.

Every write of a worker is guarded by the fencing token: `status = 'processing' AND attempt = … AND worker = …`. If it
matches no row, the lease is lost, and nothing is changed. The worker is part of the token because PostgreSQL may lose a
claim in a crash, and the next claim then has the same attempt number.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from schema.engine import autocommit, to_json
from schema.steps import Steps, run
from workqueue.lifecycle.attempt_data import Answer, AttemptRecord, Claim, Completion, Progress, errors_of
from workqueue.lifecycle.attempt_rows import (
    INSERT_LINES,
    array_of,
    ended_attempt,
    pack_files,
    pack_lines,
    pack_phases,
    token_of,
)

NO_PROGRESS: Progress = (None, None)
# A lock of the rows before the update would make CHANGED impossible, and costs a sixth of the whole statement.
UPDATE_FINISHED = """
    WITH done AS (
        SELECT * FROM json_to_recordset(CAST(:done AS json)) AS d (
            id uuid, attempt int, data json, fraction float8, message text, phases json, cold_start bool,
            init_ms float8, max_rss_mb float8, lines json, files json
        )
    ), finished AS (
        UPDATE processing_request r
        SET status = 'completed', phase = NULL, finished_at = :now, lease_expires_at = NULL,
            progress_fraction = d.fraction, progress_message = d.message, result = coalesce(d.data, 'null'),
            outcome = 'completed', phases = d.phases, cold_start = d.cold_start, init_ms = d.init_ms,
            max_rss_mb = d.max_rss_mb, current_lines = NULL
        FROM done d
        WHERE r.id = ANY(ARRAY(SELECT id FROM done)) AND r.id = d.id
          AND r.attempt = d.attempt AND r.worker = :worker AND r.status = 'processing' AND NOT r.cancel_requested
        RETURNING r.id, r.attempt, d.lines, d.files
    )"""
INSERT_OUTPUT = f""", filed AS (
        INSERT INTO output_file (request_id, name, filename, size, content_type, sha256, stored_as, created_at)
        SELECT d.id, f.name, f.filename, f.size, f.content_type, f.sha256, f.stored_as, :now
        FROM finished d, json_populate_recordset(CAST(NULL AS output_file), d.files) AS f
    ), logged AS ({INSERT_LINES.format(attempts="finished")})"""  # noqa: S608 - composed of constants
SELECT_ANSWERS = """
    SELECT id, 'stored' AS answer FROM finished
    UNION ALL
    SELECT d.id, CASE WHEN r.status = 'completed' THEN 'stored' -- the answer to an earlier try was lost
                      WHEN r.cancel_requested THEN 'cancelled' ELSE 'changed' END
    FROM done d JOIN processing_request r ON r.id = d.id AND r.attempt = d.attempt AND r.worker = :worker
    WHERE (SELECT count(*) FROM finished) < (SELECT count(*) FROM done) AND r.id = ANY(ARRAY(SELECT id FROM done))
      AND r.status IN ('processing', 'completed') AND NOT EXISTS (SELECT FROM finished WHERE finished.id = d.id)
    """
FINISH = text(UPDATE_FINISHED + SELECT_ANSWERS)
# Most requests print nothing and save no file. To insert nothing into two tables would cost an eighth of FINISH.
FINISH_WITH_OUTPUT = text(UPDATE_FINISHED + INSERT_OUTPUT + SELECT_ANSWERS)


def finish(engine: Engine, completions: Sequence[Completion], now: datetime) -> dict[UUID, Exception]:
    """Finish requests of one worker, each with its result and output files: processing → completed. The commit point.

    Return the requests that were rejected, each with a LeaseLostError, or a CancelledError if a cancel came first; all
    others are committed. If the worker dies before the commit, the leases expire and the requests run again. If it dies
    after the commit, only RQ and waiting clients are not notified; a bell that RQ rings again finds nothing to claim.
    """
    with autocommit(engine) as connection:
        return run(connection, finish_steps(completions, now))


def finish_steps(completions: Sequence[Completion], now: datetime) -> Steps[dict[UUID, Exception]]:
    """Return the steps of `finish`."""
    rejected: dict[UUID, Exception] = {}
    while completions:
        has_output = any(done.files or done.record.lines for done in completions)
        rows = yield FINISH_WITH_OUTPUT if has_output else FINISH, finish_values(completions, now)
        answers = {row.id: Answer(row.answer) for row in rows}
        rejected |= errors_of([done.claim for done in completions], answers)
        completions = [done for done in completions if answers.get(done.claim.request_id) is Answer.CHANGED]
    return rejected


def finish_values(completions: Sequence[Completion], now: datetime) -> dict[str, Any]:
    """Return the parameters of both statements. Rows are sorted by id: a claim locks rows in this order, too."""
    rows = ",".join(_row_json(done) for done in sorted(completions, key=lambda done: done.claim.request_id))
    return {"done": f"[{rows}]", "worker": completions[0].claim.worker, "now": now}


def _row_json(completion: Completion) -> str:
    """Return the values of one row. The result stays unparsed, to keep the order of keys and the digits."""
    row = ended_attempt(completion.claim, completion.record)
    if completion.files:
        row["files"] = pack_files(completion.files)
    if completion.progress != NO_PROGRESS:
        row["fraction"], row["message"] = completion.progress
    return f'{to_json(row)[:-1]},"data":{completion.data}}}'


# The attempt may have been given back, and another one may run.
RECORD_CLEANUP = text(
    f"""
    WITH cleaned AS (
        SELECT * FROM json_to_recordset(CAST(:cleaned AS json)) AS d (id uuid, attempt int, phases json, lines json)
    ), existing AS MATERIALIZED (
        SELECT id FROM processing_request WHERE id = ANY(ARRAY(SELECT id FROM cleaned)) ORDER BY id FOR NO KEY UPDATE
    ), latest AS (
        UPDATE processing_request r SET phases = d.phases FROM cleaned d JOIN existing USING (id)
        WHERE r.id = ANY(ARRAY(SELECT id FROM cleaned)) AND r.id = d.id AND r.attempt = d.attempt AND r.worker = :worker
        RETURNING r.id, r.attempt, d.lines
    ), earlier AS (
        UPDATE earlier_attempt a SET phases = d.phases FROM cleaned d JOIN existing USING (id)
        WHERE a.request_id = d.id AND a.number = d.attempt AND a.worker = :worker
        RETURNING d.id, d.attempt, d.lines
    ), logged AS ({INSERT_LINES.format(attempts="(SELECT * FROM latest UNION ALL SELECT * FROM earlier)")})
    SELECT set_config('synchronous_commit', 'off', true)
    """  # noqa: S608 - composed of constants
)


def record_cleanup(engine: Engine, claim: Claim, record: AttemptRecord) -> None:
    """Store phase and log lines of a cleanup that ran after the commit point. The status does not change."""
    with autocommit(engine) as connection:
        run(connection, record_cleanup_steps(claim, record))


def record_cleanup_steps(claim: Claim, record: AttemptRecord) -> Steps[None]:
    """Return the steps of `record_cleanup`."""
    row = token_of(claim) | {"phases": pack_phases(record.phases), "lines": pack_lines(record.lines)}
    yield RECORD_CLEANUP, {"cleaned": array_of([row]), "worker": claim.worker}
