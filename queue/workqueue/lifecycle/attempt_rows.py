"""Store what belongs to an attempt or a request besides its status: outcome, log lines, files."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from schema.engine import to_json
from workqueue.files.store import StoredFile
from workqueue.lifecycle.attempt_data import AttemptRecord, Claim, LogLine

CLOSE_ATTEMPT = text(
    """
    UPDATE request_attempt
    SET outcome = :outcome, finished_at = :now, phases = CAST(:phases AS json), cold_start = :cold_start,
        init_ms = :init_ms, max_rss_mb = :max_rss_mb, error_type = :error_type, error_message = :error_message,
        traceback = :traceback
    WHERE request_id = :id AND number = :attempt
    """
)


# One statement for any number of lines: a log may have tens of thousands. Lines may be stored already, if the answer to
# the extension that stored them was lost.
STORE_LINES = text(
    """
    INSERT INTO request_log (request_id, attempt, number, time, stream, line)
    SELECT :id, :attempt, (d ->> 0)::int, (d ->> 1)::timestamptz, d ->> 2, d ->> 3
    FROM json_array_elements(CAST(:lines AS json)) AS d
    ON CONFLICT DO NOTHING
    """
)


def close_attempt(connection: Connection, claim: Claim, record: AttemptRecord, now: datetime) -> None:
    """Store the outcome of an attempt, and its last log lines."""
    values = {
        "now": now,
        "outcome": record.outcome,
        "phases": to_json(record.phases),
        "cold_start": record.cold_start,
        "init_ms": record.init_ms,
        "max_rss_mb": record.max_rss_mb,
        "error_type": record.error_type,
        "error_message": record.error_message,
        "traceback": record.traceback,
    }
    connection.execute(CLOSE_ATTEMPT, claim.fencing_token | values)
    store_lines(connection, claim, record.lines)


def store_files(
    connection: Connection, table: Any, request_id: UUID, files: Sequence[StoredFile], now: datetime
) -> None:
    """Insert the rows of files that are in the store already. table: input_file or output_file."""
    if files:
        shared = {"request_id": request_id, "created_at": now}
        connection.execute(insert(table), [asdict(file) | shared for file in files])


def store_lines(connection: Connection, claim: Claim, lines: Sequence[LogLine]) -> None:
    """Insert log lines of an attempt; skip those that are stored already."""
    if lines:
        rows = [(line.number, line.time.isoformat(), line.stream, line.line) for line in lines]
        connection.execute(STORE_LINES, {"id": claim.request_id, "attempt": claim.attempt, "lines": to_json(rows)})
