"""Collect the evidence of a run: rows, ledger, recorded answers and logged events."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from tests.chaos.clients import AnswerRecord
from tests.chaos.environment.environment import ChaosEnvironment
from tests.chaos.evidence import ledger
from tests.chaos.evidence.event_log import EventLog, WallClock
from tests.chaos.evidence.ledger import Entry

Row = dict[str, Any]

REQUESTS = """
    SELECT r.*, p.attempt AS result_attempt, p.data AS result
    FROM processing_request r LEFT JOIN processing_result p ON p.request_id = r.id ORDER BY r.id
"""


@dataclass(frozen=True)
class Evidence:
    """Hold the evidence of a run.

    requests, attempts, files: by request id. workers: name -> pid.
    """

    requests: dict[str, Row]
    attempts: dict[str, list[Row]]
    files: dict[str, list[Row]]
    keys: dict[str, str]
    workers: dict[str, int]
    entries: dict[str, list[Entry]]
    record: AnswerRecord
    event_log: EventLog
    clock: WallClock
    stored: Path

    def sha256_of(self, file: Row) -> str | None:
        """Return the hash of a stored file; None if it is missing."""
        try:
            return hashlib.sha256((self.stored / file["stored_as"]).read_bytes()).hexdigest()
        except FileNotFoundError:
            return None

    def starts(self, id: str) -> list[Entry]:
        return [entry for entry in self.entries.get(id, []) if entry.what == "start"]


def gather(environment: ChaosEnvironment, record: AnswerRecord, clock: WallClock) -> Evidence:
    attempts, files = defaultdict(list), defaultdict(list)
    with environment.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
        requests = {str(row["id"]): row for row in cursor.execute(REQUESTS).fetchall()}
        for row in cursor.execute("SELECT * FROM request_attempt ORDER BY request_id, number").fetchall():
            attempts[str(row["request_id"])].append(row)
        for row in cursor.execute("SELECT * FROM output_file").fetchall():
            files[str(row["request_id"])].append(row)
        keys = cursor.execute("SELECT key, request_id FROM idempotency_key").fetchall()
        workers = cursor.execute("SELECT name, pid FROM worker").fetchall()
    return Evidence(
        requests=requests,
        attempts=attempts,
        files=files,
        keys={row["key"]: str(row["request_id"]) for row in keys},
        workers={row["name"]: row["pid"] for row in workers},
        entries=ledger.read(environment.ledger),
        record=record,
        event_log=environment.event_log,
        clock=clock,
        stored=environment.home / "files",
    )
