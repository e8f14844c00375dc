"""Stores what belongs to an attempt or a request beside its state: outcome, log lines, files."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from schema.session import to_json
from schema.tables import request_log
from workqueue.files.store import StoredFile
from workqueue.lifecycle.claims import Claim, Record
from workqueue.logs.logbook import Line

RECORD = text(
    """
    UPDATE request_attempt
    SET outcome = :outcome, finished_at = :now, phases = CAST(:phases AS json), cold_start = :cold_start,
        init_ms = :init_ms, max_rss_mb = :max_rss_mb, error_type = :error_type, error_message = :error_message,
        traceback = :traceback
    WHERE request_id = :id AND number = :attempt
    """
)


def close_attempt(connection: Connection, claim: Claim, record: Record, now: datetime) -> None:
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
    connection.execute(RECORD, claim.token | values)
    store_lines(connection, claim, record.lines)


def store_files(
    connection: Connection, table: Any, request_id: UUID, files: Sequence[StoredFile], now: datetime
) -> None:
    if files:
        shared = {"request_id": request_id, "created_at": now}
        connection.execute(insert(table), [asdict(file) | shared for file in files])


def store_lines(connection: Connection, claim: Claim, lines: Sequence[Line]) -> None:
    if lines:
        shared = {"request_id": claim.request_id, "attempt": claim.attempt}
        # Some may be there: the answer to the extension that stored them was lost.
        statement = insert(request_log).on_conflict_do_nothing()
        connection.execute(statement, [asdict(line) | shared for line in lines])
